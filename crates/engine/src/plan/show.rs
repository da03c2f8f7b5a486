//! A plan as text: stages, passes, steps with their places, and what memory they take.

use std::fmt;

use super::{
    Argument, Chain, DenseGradient, Fixed, Link, LinkWork, Operand, Pass, Plan, Step, Sum, SumKind, Which, Work,
};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (batch, groups) = (self.batch, self.groups.len());
        writeln!(f, "batch {batch} in {groups} groups")?;
        for (number, stage) in self.stages.iter().enumerate() {
            writeln!(f, "stage {number}")?;
            for pass in &stage.passes {
                show_pass(f, pass)?;
            }
            for (index, pack) in self.packs.iter().enumerate().filter(|(_, pack)| pack.stage == number) {
                let how = if pack.transposed { "pack_transposed" } else { "pack" };
                let norm = if pack.norm.is_some() { ", norm" } else { "" };
                writeln!(f, "  p{index} = {how}({}{norm})", pack.source)?;
            }
            for segment in &stage.segments {
                writeln!(f, "  shards of {}", segment.shard.min(batch))?;
                for step in &stage.steps[segment.steps.clone()] {
                    writeln!(f, "    {step}")?;
                    show_ahead(f, step)?;
                }
            }
            for sum in stage.sums.iter().map(|index| &self.sums[*index]) {
                writeln!(f, "  {sum}")?;
            }
        }
        for output in &self.outputs {
            writeln!(f, "output {} = {}", output.name, output.from)?;
        }
        for update in &self.updates {
            write!(f, "update ")?;
            show_chain(f, &update.chain, update.variables.iter().map(|variable| Fixed::Variable(*variable)))?;
        }
        for assignment in &self.assignments {
            let (path, _) = &self.values.variables[assignment.variable];
            writeln!(f, "assign {path} = v{}", assignment.value)?;
        }
        self.show_memory(f)
    }
}

impl Plan {
    /// How many numbers a run holds.
    pub fn n_numbers(&self) -> usize {
        self.numbers().iter().sum()
    }

    /// Numbers of desks, of what is kept for the batch, of sums, and of values of the whole batch.
    fn numbers(&self) -> [usize; 4] {
        let kept = |group| self.slots.iter().filter(|slot| slot.kept).map(move |slot| self.slot_len(slot, group));
        let kept: usize = self.groups.iter().flat_map(kept).sum();
        let sums: usize = self.groups.iter().flat_map(|g| self.sums.iter().map(|s| s.len(&self.values, g.len()))).sum();
        let desk: usize = self.desk_slots().chain(self.desk_packed()).sum();
        [self.desks * desk, kept, sums, self.values.lens.iter().sum()]
    }

    fn show_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |numbers: usize| numbers as f64 * 4.0 / 1024.0 / 1024.0;
        let [desks, kept, sums, whole] = self.numbers();
        writeln!(
            f,
            "memory in MiB: desks {:.1}, kept for the batch {:.1}, sums {:.1}, whole batch {:.1}",
            bytes(desks),
            bytes(kept),
            bytes(sums),
            bytes(whole)
        )
    }
}

/// What a step asks for: of this shard, then of the next.
fn show_ahead(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    let of = |shard: Which| -> String {
        let asked = step.ahead.iter().filter(|ahead| ahead.shard == shard);
        asked.map(|ahead| format!(" s{}", ahead.slot)).collect()
    };
    match step.ahead.is_empty() {
        true => Ok(()),
        false => writeln!(f, "      asks for{}; of the next shard for{}", of(Which::This), of(Which::Next)),
    }
}

fn show_pass(f: &mut fmt::Formatter<'_>, pass: &Pass) -> fmt::Result {
    match pass {
        Pass::Singles(singles) => {
            for single in singles {
                let reads: Vec<String> = single.reads.iter().map(ToString::to_string).collect();
                writeln!(f, "  v{} = {}({})", single.write, single.op.name(), reads.join(", "))?;
            }
        }
        Pass::Chains(chains) => {
            for chain in chains {
                write!(f, "  ")?;
                show_chain(f, chain, chain.stores.iter().map(|value| Fixed::Value(*value)))?;
            }
        }
    }
    Ok(())
}

fn show_chain(f: &mut fmt::Formatter<'_>, chain: &Chain, stores: impl Iterator<Item = Fixed>) -> fmt::Result {
    let links: Vec<String> = chain.links.iter().map(ToString::to_string).collect();
    let stores: Vec<String> = stores.map(|store| store.to_string()).collect();
    writeln!(f, "{} = chain of {}: {}", stores.join(", "), chain.len, links.join("; "))
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{} = ", self.to)?;
        match self.work {
            LinkWork::Pair(pair) => write!(f, "{pair:?}")?,
            work => write!(f, "{work:?}")?,
        }
        write!(f, "({}, {})", self.a, self.b)
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Cell(cell) => write!(f, "c{cell}"),
            Argument::Slice(fixed) | Argument::Number(fixed) => write!(f, "{fixed}"),
        }
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fixed::Variable(index) => write!(f, "w{index}"),
            Fixed::Value(number) => write!(f, "v{number}"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Slot { slot, .. } => write!(f, "s{slot}"),
            Operand::Input { name, .. } => write!(f, "input{name}"),
            Operand::Fixed(fixed) => fixed.fmt(f),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((slot, view)) = &self.write {
            let border = if view.is_plain() { "" } else { " bordered" };
            write!(f, "s{slot}[{}x{}x{}{border}]", view.height, view.width, view.channels)?;
            if let Some((slot, _)) = &self.aside {
                let what = if let Work::ActivateWithSlope(_) = self.work { "slope" } else { "winners" };
                write!(f, ", s{slot}[{what}]")?;
            }
            write!(f, " = ")?;
        }
        let reads: Vec<String> = self.reads.iter().map(ToString::to_string).collect();
        write!(f, "{}({})", self.work.name(), reads.join(", "))?;
        if !self.bands.is_empty() {
            write!(f, " in {} bands", self.bands.len())?;
        }
        write!(f, "  # {}", self.node)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.kind {
            SumKind::Kernel(_) | SumKind::Canonical => "kernel gradient",
            SumKind::Plain => "sum",
            SumKind::Mean => "mean",
            SumKind::Statistics { .. } => "statistics",
            SumKind::Dense(DenseGradient { x, dy, .. }) => {
                return write!(f, "v{} = kernel_gradient({x}, {dy}) over the batch  # {}", self.write, self.node);
            }
        };
        write!(f, "v{} = {how} over groups  # {}", self.write, self.node)
    }
}

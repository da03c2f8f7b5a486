//! A plan with its memory, running.
//!
//! Everything is allocated here when the machine is made; a run only fills it. Each task owns what it writes: a group
//! its slots and sums, a chain its results, so that threads share nothing but what they read. A run consists of many
//! short loops over tasks, for all of which the same threads stay awake.

mod chain;
mod desk;
mod group;
mod pack;
mod pointwise;
mod reader;
mod samples;
mod single;
mod step;
mod sums;

use kernels::Isa;
use kernels::buffer::Buffer;
use kernels::team::Crew;

use crate::plan::{Fixed, Operand, Pass, Plan};
use crate::profile::timed;
use crate::{Clock, Feed, Input, Variables};

use chain::{ChainTask, UpdateTask};
use desk::Desks;
use group::{Context, Group};
use pack::PackTask;
use sums::{Closing, SumTask};

/// A plan and its memory.
#[derive(Debug)]
pub(crate) struct Machine {
    isa: Isa,
    plan: Plan,
    values: Vec<Buffer>,
    packs: Vec<PackTask>,
    groups: Vec<Group>,
    desks: Desks,
    /// For each stage and pass the chains with their results.
    chains: Vec<Vec<Vec<ChainTask>>>,
    sums: Vec<SumTask>,
    updates: Vec<UpdateTask>,
    results: Vec<Vec<f32>>,
    /// Where the program's variables stood at the last run.
    places: Vec<usize>,
    /// By stage.
    spent: Vec<Spent>,
}

/// Nanoseconds spent between the steps of a stage, where a clock was given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub passes: u64,
    pub packs: u64,
    pub sums: u64,
}

/// Values of the whole batch, to read.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    variables: &'a Variables,
    places: &'a [usize],
    values: &'a [Buffer],
}

impl<'a> Whole<'a> {
    /// The numbers of a value.
    pub fn get(&self, fixed: Fixed) -> &'a [f32] {
        match fixed {
            Fixed::Variable(index) => self.variables.at(self.places[index]),
            Fixed::Value(number) => &self.values[number],
        }
    }

    /// What changes whenever a variable does.
    pub fn stamp(&self, variable: usize) -> u64 {
        self.variables.stamp(self.places[variable])
    }

    /// The first number of a value.
    pub fn number(&self, fixed: Fixed) -> f32 {
        self.get(fixed)[0]
    }
}

impl Machine {
    /// All memory for a plan.
    pub fn new(plan: Plan, isa: Isa) -> Machine {
        let mut values: Vec<Buffer> = plan.values.lens.iter().map(|len| Buffer::zeros(*len)).collect();
        for (number, value) in &plan.values.constants {
            values[*number].fill(*value);
        }
        let packs = plan.packs.iter().map(|pack| PackTask::new(pack, &plan.values.constants)).collect();
        let chains_of = |pass: &Pass| match pass {
            Pass::Singles(_) => Vec::new(),
            Pass::Chains(chains) => chains.iter().map(ChainTask::new).collect(),
        };
        let chains = plan.stages.iter().map(|stage| stage.passes.iter().map(chains_of).collect()).collect();
        let groups = plan.groups.iter().map(|samples| Group::new(&plan, samples.clone())).collect();
        let desks = Desks::new(&plan);
        let sums = (0..plan.sums.len()).map(|index| SumTask::new(&plan, index)).collect();
        let updates = plan.updates.iter().map(UpdateTask::new).collect();
        let results = plan.outputs.iter().map(|output| vec![0.0; output.len]).collect();
        let places = vec![usize::MAX; plan.values.variables.len()];
        let spent = vec![Spent::default(); plan.stages.len()];
        Machine { isa, plan, values, packs, groups, desks, chains, sums, updates, results, places, spent }
    }

    /// The number of samples that this is for.
    pub fn batch(&self) -> usize {
        self.plan.batch
    }

    /// What is run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What has been spent between the steps of a stage.
    pub fn spent(&self, stage: usize) -> Spent {
        self.spent[stage]
    }

    /// What a step of a stage has taken, on all threads together.
    pub fn spent_by_step(&self, stage: usize, step: usize) -> u64 {
        self.groups.iter().map(|group| group.spent(stage, step)).sum()
    }

    /// What a sum has taken as a product over the batch, on all threads together.
    pub fn spent_by_sum(&self, sum: usize) -> u64 {
        self.sums[sum].spent()
    }

    /// Begins to count anew.
    pub fn forget_times(&mut self) {
        self.spent.fill(Spent::default());
        self.sums.iter_mut().for_each(SumTask::forget_times);
        self.groups.iter_mut().for_each(Group::forget_times);
    }

    /// Threads that have something to do beside the one that runs this.
    pub fn helpers(&self) -> usize {
        self.plan.helpers
    }

    /// Computes everything up to the results; variables stay as they are. With a clock it counts what each part takes.
    pub fn compute(&mut self, crew: &Crew<'_>, variables: &Variables, feed: &Feed<'_>, clock: Option<Clock>) {
        self.find_variables(variables);
        self.take_inputs(feed);
        for stage in 0..self.plan.stages.len() {
            let mut spent = self.spent[stage];
            timed(clock, &mut spent.passes, || self.run_passes(crew, stage, variables));
            timed(clock, &mut spent.packs, || self.run_packs(crew, stage, variables));
            self.run_steps(crew, stage, variables, feed, clock);
            timed(clock, &mut spent.sums, || self.close_sums(crew, stage, feed, clock));
            self.spent[stage] = spent;
        }
        self.gather_results(variables, feed);
    }

    /// What the output `name` was at the last run.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn result(&self, name: &str) -> &[f32] {
        let found = self.plan.outputs.iter().position(|output| output.name == name);
        &self.results[found.unwrap_or_else(|| panic!("the graph has no output {name:?}"))]
    }

    /// Gives the variables their new values.
    pub fn assign(&mut self, crew: &Crew<'_>, variables: &mut Variables, clock: Option<Clock>) {
        let last = self.spent.len() - 1;
        let mut spent = self.spent[last].passes;
        timed(clock, &mut spent, || self.run_updates(crew, variables));
        self.spent[last].passes = spent;
        let Machine { plan, values, places, .. } = self;
        for one in plan.assignments.iter().filter(|one| !one.swap) {
            variables.at_mut(places[one.variable]).copy_from_slice(&values[one.value]);
        }
        for one in plan.assignments.iter().filter(|one| one.swap) {
            std::mem::swap(variables.at_mut(places[one.variable]), &mut values[one.value]);
        }
    }

    /// Updates read the old values of what the assignments behind them change.
    fn run_updates(&mut self, crew: &Crew<'_>, variables: &mut Variables) {
        let Machine { isa, values, updates, places, .. } = self;
        updates.iter_mut().for_each(|task| task.swap(variables, places));
        let whole = Whole { variables, places, values };
        updates.iter_mut().for_each(|task| task.run(*isa, &whole, crew));
        updates.iter_mut().for_each(|task| task.swap(variables, places));
    }

    fn find_variables(&mut self, variables: &Variables) {
        for ((path, len), place) in self.plan.values.variables.iter().zip(&mut self.places) {
            if !variables.is_at(*place, path) {
                *place = variables.index_of(path).unwrap_or_else(|| panic!("there is no variable {path:?}"));
            }
            assert_eq!(variables.at(*place).len(), *len, "the variable {path:?} has the size that the graph says");
        }
    }

    fn take_inputs(&mut self, feed: &Feed<'_>) {
        assert_eq!(feed.batch, self.plan.batch, "a machine runs batches of one size");
        for (number, name) in &self.plan.values.inputs {
            let Input::F32(input) = feed.input(name) else { panic!("the input {name:?} is of numbers") };
            self.values[*number].copy_from_slice(input);
        }
    }

    fn run_passes(&mut self, crew: &Crew<'_>, stage: usize, variables: &Variables) {
        for (index, pass) in self.plan.stages[stage].passes.iter().enumerate() {
            match pass {
                Pass::Singles(singles) => {
                    for one in singles {
                        let mut written = std::mem::take(&mut self.values[one.write]);
                        let whole = Whole { variables, places: &self.places, values: &self.values };
                        single::run(self.isa, one, &whole, self.plan.batch, crew, &mut written);
                        self.values[one.write] = written;
                    }
                }
                Pass::Chains(_) => {
                    let tasks = &mut self.chains[stage][index];
                    tasks.iter_mut().for_each(|task| task.swap(&mut self.values));
                    let whole = Whole { variables, places: &self.places, values: &self.values };
                    tasks.iter_mut().for_each(|task| task.run(self.isa, &whole, crew));
                    tasks.iter_mut().for_each(|task| task.swap(&mut self.values));
                }
            }
        }
    }

    /// Packs the kernels that have changed since they were packed: in evaluation, those of the first batch.
    fn run_packs(&mut self, crew: &Crew<'_>, stage: usize, variables: &Variables) {
        let whole = Whole { variables, places: &self.places, values: &self.values };
        let is_here = |task: &PackTask| task.stage() == stage;
        let Some(first) = self.packs.iter().position(is_here) else { return };
        let last = self.packs.iter().rposition(is_here).unwrap_or(first);
        crew.each_mut(&mut self.packs[first..=last], |task| {
            if is_here(task) {
                task.run(self.isa, &whole);
            }
        });
    }

    fn run_steps(
        &mut self,
        crew: &Crew<'_>,
        stage: usize,
        variables: &Variables,
        feed: &Feed<'_>,
        clock: Option<Clock>,
    ) {
        let Machine { isa, plan, values, packs, groups, desks, places, .. } = self;
        if plan.stages[stage].steps.is_empty() {
            return;
        }
        let whole = Whole { variables, places, values };
        let context = Context { isa: *isa, plan, stage, whole, packs, feed, clock, crew };
        crew.each_mut(groups, |group| group.run(&context, &mut desks.take()));
    }

    fn close_sums(&mut self, crew: &Crew<'_>, stage: usize, feed: &Feed<'_>, clock: Option<Clock>) {
        let Machine { isa, plan, values, groups, sums, .. } = self;
        let closing = Closing { isa: *isa, plan, groups, feed, clock, crew };
        for task in sums.iter_mut().filter(|task| task.stage() == stage) {
            task.take_result(values);
            task.close(&closing);
            task.give_result(values);
        }
    }

    fn gather_results(&mut self, variables: &Variables, feed: &Feed<'_>) {
        let whole = Whole { variables, places: &self.places, values: &self.values };
        for (output, result) in self.plan.outputs.iter().zip(&mut self.results) {
            match &output.from {
                Operand::Fixed(fixed) => result.copy_from_slice(whole.get(*fixed)),
                Operand::Input { name, .. } => copy_input(feed.input(&self.plan.names[*name]), result),
                Operand::Slot { slot, view } => {
                    let mut rest = &mut result[..];
                    for group in &self.groups {
                        for row in view.rows(group.len()) {
                            let (row_of_result, behind) = rest.split_at_mut(row.len());
                            row_of_result.copy_from_slice(&group.slot(*slot)[row]);
                            rest = behind;
                        }
                    }
                }
            }
        }
    }
}

fn copy_input(input: Input<'_>, to: &mut [f32]) {
    match input {
        Input::F32(values) => to.copy_from_slice(values),
        Input::U8(values) => to.iter_mut().zip(values).for_each(|(to, value)| *to = f32::from(*value)),
        Input::Index(values) => to.iter_mut().zip(values).for_each(|(to, value)| *to = *value as f32),
    }
}

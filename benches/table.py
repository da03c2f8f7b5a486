"""The table, for the terminal (80 columns) and for RESULTS.md, with what the machine says of itself."""
import datetime
import pathlib
import platform
import statistics

HEADING = f"{'workload':<24}{'batch':>5}{'ours':>9}{'peer':>8}  {'fastest peer':<13}{'ratio':>6} {'spread':>11}"

SHORTER = {", ": " ", "channels last": "last", "contiguous": "first", "ONNX Runtime": "ONNX RT",
           "torchvision": "torchv"}

# Units that are percents, and on which side of the goal they should lie: what something costs, and a share of the ceiling.
PERCENTS = {"%": "≤", "share": "≥"}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def times(ratio):
    """A ratio in at most four characters and a point."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"


def reached(line):
    """The figure that the goal speaks of, whether it is reached, and the spread from round to round; as text."""
    ours = statistics.median(line.ours)
    if line.unit in PERCENTS:
        is_reached = ours <= line.goal if PERCENTS[line.unit] == "≤" else ours >= line.goal
        return f"{ours:.0f} %", is_reached, f"{min(line.ours):.0f}..{max(line.ours):.0f}"
    name, rates = peer_of(line)
    if name is None:
        return "", None, ""
    upside_down = line.unit in ("seconds", "MB")
    pairs = [(peer / mine if upside_down else mine / peer) for mine, peer in zip(line.ours, rates)]
    peer = statistics.median(rates)
    ratio = peer / ours if upside_down else ours / peer
    return times(ratio), ratio >= line.goal, f"{times(min(pairs))}..{times(max(pairs))}"


def peer_of(line):
    """The peer that counts: of rates the fastest, of memory PyTorch, else the only one."""
    if line.unit in ("seconds", "MB", "images/s"):
        return next(iter(line.peers.items()), (None, []))
    return line.best_peer()


def row(line):
    """A line of the terminal."""
    figure, _, spread = reached(line)
    name, rates = peer_of(line)
    name = name or ""
    for long, short in SHORTER.items():
        name = name.replace(long, short)
    peer = number(statistics.median(rates)) if rates else ""
    ours = number(statistics.median(line.ours))
    return f"{line.title:<24}{line.batch:>5}{ours:>9}{peer:>8}  {name[:13]:<13}{figure:>6} {spread:>11}"


def markdown(lines, ceilings, versions, binary, threads, setting):
    """The whole of RESULTS.md."""
    text = ["# Results", "", "Written by `just bench`; benches/README.md says what is measured and how.", ""]
    text += [f"- {datetime.date.today()}, {machine()}, {threads} threads.",
             f"- Multiply-adds in registers on all threads: {statistics.median(ceilings):.0f} GFLOP/s in the middle, "
             f"{min(ceilings):.0f} to {max(ceilings):.0f} over the run. This is the ceiling.",
             f"- {'; '.join([binary, *versions.values()])}; Python {platform.python_version()}.",
             f"- {setting.rounds} rounds of {setting.seconds:g} s for each contender, in turns; medians; the spread is "
             "that of the ratio from round to round.",
             *([f"- Left out of the peers' variants: {', '.join(setting.skip)}."] if setting.skip else []), "",
             "| workload | batch | Etalon | fastest peer | ratio | spread | goal | share of the ceiling |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for line in lines:
        figure, is_reached, spread = reached(line)
        name, rates = peer_of(line)
        peer = f"{number(statistics.median(rates))} ({name})" if rates else ""
        is_percents = line.unit in PERCENTS
        unit = "" if line.unit == "×" or is_percents else f" {line.unit}"
        goal = f"{PERCENTS[line.unit]} {line.goal:g} %" if is_percents else f"≥ {line.goal:g}"
        share = f"{100 * line.share:.0f} %" if line.share else ""
        ours = f"{number(statistics.median(line.ours))}{unit}"
        mark = "" if is_reached is None else (" reached" if is_reached else " missed")
        text.append(f"| {line.title} | {line.batch} | {ours} | {peer} | {figure} | {spread} | {goal}{mark} | {share} |")
    return "\n".join([*text, "", *everybody(lines), *curve()]) + "\n"


def everybody(lines):
    """Every contender of every line, with the mean loss of the first steps."""
    text = ["## Everybody", "", "Images a second, median of the rounds (a variant that is far behind its peer's fastest",
            "has one); in brackets the mean loss over the first steps, as many for each.", ""]
    for line in lines:
        if line.unit != "×":
            text += [f"- {line.title}: {note}." for note in line.notes]
            continue
        rates = {"Etalon": line.ours} | line.peers
        loss = {name: f" ({value:.2f})" for name, value in line.losses.items() if value is not None}
        said = "; ".join(f"{name} {number(statistics.median(found))}{loss.get(name, '')}"
                         for name, found in rates.items())
        text.append(f"- {line.title}{f', batch {line.batch}' if line.batch else ''}: {said}."
                    + "".join(f" {note}." for note in line.notes))
    return text


def curve():
    picture = pathlib.Path(__file__).with_name("cost_curve.png")
    return ["", "## Cost curve", "", "![images per second over batch size, width and depth](cost_curve.png)"] \
        if picture.exists() else []


def machine():
    """The processor, and which vector instructions it says it has."""
    try:
        said = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in said.split("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", fields.get("Features", "")).split()
    known = [name for name in ("avx2", "fma", "avx512f", "asimd") if name in flags]
    family = f" (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else ""
    without = ", no AVX-512" if "avx2" in flags and "avx512f" not in flags else ""
    cores = said.count("processor\t:")
    return f"{fields.get('model name', platform.machine())}{family}, {cores} cores, {' '.join(known)}{without}"

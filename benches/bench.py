"""Measures Etalon and its peers in turns and prints a table of ratios; `just bench` calls it. See README.md here.

    just bench                      all lines and the cost curve, about 25 minutes; writes RESULTS.md
    just bench --quick              all lines in short, about 6 minutes; writes nothing
    just bench --curve              the cost curve alone
    just bench cnn-128 resnet20     these lines
    just bench --list               their names
"""
import argparse
import os
import sys
import textwrap

import curves
import facts
import measuring
import table
from contenders import HERE, Etalon, Failed, Peers
from workloads import WORKLOADS, Fact, Images, Inference, Training, tell_names


def arguments():
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__.splitlines()[0])
    parser.add_argument("lines", nargs="*", metavar="LINE", help="names of lines; none: all")
    parser.add_argument("--list", action="store_true", help="names of all lines")
    parser.add_argument("--quick", action="store_true", help="short windows, no compiled variants, no curve")
    parser.add_argument("--rounds", type=int, help="rounds of all contenders")
    parser.add_argument("--seconds", type=float, help="seconds of each contender in a round")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of all contenders")
    parser.add_argument("--data-dir", action="append", default=[], help="where CIFAR-10 lies")
    parser.add_argument("--etalon", default=str(HERE.parent / "target/release/etalon"), help="the program")
    parser.add_argument("--skip", action="append", default=[], choices=("compiled", "xla"),
                        help="a variant of the peers to leave out, which RESULTS.md then says")
    parser.add_argument("--no-curve", action="store_true", help="leave the cost curve as it is")
    parser.add_argument("--curve", action="store_true", help="measure the cost curve alone")
    return parser.parse_args()


def main():
    given = arguments()
    if given.list:
        return tell_names()
    unknown = set(given.lines) - {workload.name for workload in WORKLOADS}
    if unknown:
        sys.exit(f"there is no line {', '.join(sorted(unknown))}; --list names them")
    chosen = [workload for workload in WORKLOADS if not given.lines or workload.name in given.lines]
    variable = [os.environ["ETALON_DATA_DIR"]] if os.environ.get("ETALON_DATA_DIR") else []
    setting = measuring.Setting(
        etalon=Etalon(given.etalon, given.threads), peers=Peers(given.threads),
        data_dirs=[*given.data_dir, *variable, "datasets"],
        rounds=given.rounds or (2 if given.quick else 3), seconds=given.seconds or (0.6 if given.quick else 1.5),
        skip=("compiled", "xla") if given.quick else tuple(given.skip))
    if given.curve:
        curves.curves(setting, setting.seconds / 1.5)
        setting.peers.end()
        return print("written: benches/cost_curve.png")
    write = lambda lines: None
    if not given.quick and not given.lines:
        version = setting.etalon.call("--version")
        write = lambda lines: (HERE / "RESULTS.md").write_text(
            table.markdown(lines, setting.ceilings, setting.peers.versions, version, given.threads, setting))
    lines = measured(chosen, setting, write)
    if setting.ceilings:
        low, high = min(setting.ceilings), max(setting.ceilings)
        print(f"\nmultiply-adds in registers, the ceiling: {low:.0f} to {high:.0f} GFLOP/s during this run")
    if not given.quick and not given.lines:
        if not given.no_curve:
            curves.curves(setting, setting.seconds / 1.5)
        write(lines)  # once more, with the new picture
        print("written: benches/RESULTS.md" + ("" if given.no_curve else ", benches/cost_curve.png"))
    setting.peers.end()


def measured(chosen, setting, write):
    """Measures line after line, and prints and writes each when it is known, so that an end before the last loses little."""
    print(f"{table.machine()}\nrates in images/s\n\n{table.HEADING}")
    lines = []
    for workload in chosen:
        try:
            line = one(workload, setting)
        except Failed as failed:
            print(f"{workload.title:<24} not measured: {failed}", flush=True)
            setting.peers.forget()
            continue
        print(table.row(line), flush=True)
        for note in line.notes:
            print(textwrap.fill(note, 80, initial_indent="    ", subsequent_indent="    "), flush=True)
        lines.append(line)
        write(lines)
    return lines


def one(workload, setting):
    match workload:
        case Training():
            return measuring.training(workload, setting)
        case Inference():
            return measuring.inference(workload, setting)
        case Images():
            return measuring.images(workload, setting)
        case Fact():
            return getattr(facts, workload.measure)(workload, setting)


if __name__ == "__main__":
    main()

"""Speed: our loops against TRL's trainers, our sampler against `generate`, and all against the machine's limits.

    python -m pip install -r tests/benchmarks/requirements.txt     TRL, for this file only
    python tests/benchmarks/speed.py                               all but PPO, on all cores; leave the machine alone
    ... --ppo-python PATH                                          PPO too, see requirements-ppo.txt
    python tests/benchmarks/speed.py --only decode sft --sizes 1m --threads 1
    python tests/benchmarks/speed.py --device cuda --dtype bfloat16 --sizes 1m 124m
    ... --write                                                    and put the tables into README.md beside this file

Ours and TRL's loop (or `generate`), each in a process of its own, do the same work: the same random GPT-2, prompts of
16 tokens, 48 more tokens, 64 sequences a step (32 pairs for the reward model), AdamW, gradients clipped to 1, and no
end token, so that lengths are fixed. They take turns, a step each, and the number that counts is the median of the
ratios of neighbouring steps: what slows the machine down slows both. The first step is start-up and is reported apart.
Each process has its own peak of memory. The workers stand in `speed_workers.py`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
PARTS = ("ceiling", "decode", "sft", "reward", "grpo", "rloo", "ppo", "ppo4")
NAMES = {
    "sft": "SFT",
    "reward": "reward model",
    "grpo": "GRPO, no KL",
    "rloo": "RLOO",
    "ppo": "PPO, 1 epoch",
    "ppo4": "PPO, 4 epochs",
}
# Our sampler, and transformers' own.
DECODERS = ("ours", "generate")
TARGETS = {"1m": 3.0, "5m": 2.0}  # times TRL's speed, and 1 for the reward model
DECODE_TARGETS = {"1m": 3.0, "5m": 2.0}  # times generate's
LENGTH, BATCH = 64, 64
MARK = "@@"  # begins the lines that are meant for us; trainers print others


class Worker:
    """A process that makes steps when told to, and says how long each took."""

    def __init__(self, who: str, part: str, size: str, options: argparse.Namespace, folder: Path):
        settings = {"who": who, "part": part, "size": size, "folder": str(folder), "started": time.time()}
        settings |= {"device": options.device, "dtype": options.dtype, "threads": options.threads}
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "TRL_EXPERIMENTAL_SILENCE": "1"}
        environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}
        self.name, self.log = f"{who} {part} {size}", (folder / f"{who}-{part}-{size}.log").open("w+")
        python = options.ppo_python if who == "trl" and part.startswith("ppo") else sys.executable
        self.process = subprocess.Popen(
            [python, str(HERE / "speed_workers.py"), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )

    def result(self) -> dict:
        """What it says next."""
        for line in self.process.stdout:
            if line.startswith(MARK):
                return json.loads(line[len(MARK) :])
        self.log.seek(0)
        raise RuntimeError(f"The worker {self.name!r} ended early:\n{self.log.read()[-2000:]}")

    def step(self) -> dict:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.result()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)
        self.log.close()


def take_turns(contestants, part: str, size: str, options: argparse.Namespace, folder: Path) -> tuple[dict, dict]:
    """The reports of each contestant on its first step, and on the following steps, which they take in turn."""
    workers, first, steps = {}, {}, {who: [] for who in contestants}
    try:
        for who in contestants:  # one after the other: starting up is timed too
            workers[who] = Worker(who, part, size, options, folder)
            first[who] = workers[who].result()
        for _ in range(options.rounds):
            for who, worker in workers.items():
                steps[who].append(worker.step())
    finally:
        for worker in workers.values():
            worker.end()
    return first, steps


def side_by_side(part: str, size: str, options: argparse.Namespace, folder: Path) -> dict:
    """Our training loop and TRL's."""
    first, steps = take_turns(("ours", "trl"), part, size, options, folder)
    seconds = {who: [step["seconds"] for step in taken] for who, taken in steps.items()}
    ratios = [trl / ours for ours, trl in zip(seconds["ours"], seconds["trl"], strict=True)]
    return {
        "part": part,
        "size": size,
        **{f"{who}_seconds": statistics.median(taken) for who, taken in seconds.items()},
        **{f"{who}_start_seconds": record["seconds"] for who, record in first.items()},
        **{f"{who}_gigabytes": taken[-1]["gigabytes"] for who, taken in steps.items()},
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def decode(size: str, options: argparse.Namespace, folder: Path) -> dict:
    """Our sampler, the same without its quick ways, and `generate`."""
    _, steps = take_turns(DECODERS, "decode", size, options, folder)
    seconds = {who: [step["seconds"] for step in taken] for who, taken in steps.items()}
    ratios = {n: [a / b for a, b in zip(seconds[n], seconds["ours"], strict=True)] for n in DECODERS[1:]}
    last = steps["ours"][-1]
    tokens = last["tokens"]
    return {
        "part": "decode",
        "size": size,
        "batch": last["batch"],
        "ours_tokens_a_second": tokens / statistics.median(seconds["ours"]),
        "generate_tokens_a_second": tokens / statistics.median(seconds["generate"]),
        "ratio": statistics.median(ratios["generate"]),
        "ratio_range": [min(ratios["generate"]), max(ratios["generate"])],
        "gigabytes": last["gigabytes"],
    }


# --- What the machine can do -------------------------------------------------------------------------


def ceiling(options: argparse.Namespace) -> dict:
    """GFLOP/s of a large product of matrices in the benchmark's dtype, and GB/s of copying memory; medians of ten."""
    gpu = options.device != "cpu"
    dtype = getattr(torch, options.dtype)
    n, count = (8192, 2**29) if gpu else (2048, 2**26)
    a, b = (torch.randn(n, n, device=options.device).to(dtype) for _ in range(2))
    source = torch.zeros(count, device=options.device)
    target = torch.empty_like(source)
    product = statistics.median(timed(lambda: a @ b, options.device) for _ in range(10))
    copy = statistics.median(timed(lambda: target.copy_(source), options.device) for _ in range(10))
    return {"gigaflops": 2 * n**3 / product / 1e9, "gigabytes_a_second": 2 * 4 * count / copy / 1e9}


def timed(work, device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def flops_a_token(size: str) -> float:
    """Training FLOPs per token, forward and backward: six per weight, plus attention to half of the text."""
    from speed_workers import SIZES

    layers, width, _, vocabulary = SIZES[size]
    weights = 12 * layers * width**2 + vocabulary * width
    return 6.0 * (weights + layers * width * LENGTH)


# --- The report --------------------------------------------------------------------------------------


def machine(options: argparse.Namespace) -> dict:
    name = torch.cuda.get_device_name() if options.device != "cpu" else platform.machine()
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    versions = {name: _version(name) for name in ("torch", "transformers", "trl")}
    where = {"processor": name, "cores": os.cpu_count(), "threads": options.threads, "load_before": load}
    if options.ppo_python:
        versions["trl_for_ppo"] = _version("trl", options.ppo_python)
    return where | {"dtype": options.dtype} | versions


def _version(package: str, python: str = sys.executable) -> str:
    script = f"from importlib.metadata import version; print(version({package!r}))"
    found = subprocess.run([python, "-c", script], capture_output=True, text=True)
    return found.stdout.strip() or "not installed"


def table(report: dict) -> str:
    """The report in Markdown."""
    m, top = report["machine"], report.get("ceiling")
    lines = [
        f"{m['processor']}, {m['cores']} cores, {m['threads']} thread(s), {m['dtype']}; torch {m['torch']},"
        f" transformers {m['transformers']}, TRL {m['trl']}"
        + (f" (for PPO {m['trl_for_ppo']})" if "trl_for_ppo" in m else "")
        + f". Load before the run: {m['load_before']}"
        + (" (**not idle: ratios only, and with care**)." if (m["load_before"] or 0) > 0.5 else ".")
    ]
    if top:
        lines += [
            "",
            f"The machine: {top['gigaflops']:.0f} GFLOP/s in a large product, {top['gigabytes_a_second']:.0f} GB/s"
            " in copying memory.",
        ]
    loops = [row for row in report["rows"] if row["part"] in NAMES]
    if loops:
        lines += [
            "",
            "| | model | ours, s a step | TRL, s a step | TRL / ours (range) | target | GB, ours and TRL"
            " | s to the end of the first step, ours and TRL |",
            "|---|---|---|---|---|---|---|---|",
        ]
    for row in loops:
        target = 1.0 if row["part"] == "reward" else TARGETS.get(row["size"])
        low, high = row["ratio_range"]
        lines.append(
            f"| {NAMES[row['part']]} | {row['size']} | {row['ours_seconds']:.2f} | {row['trl_seconds']:.2f}"
            f" | **{row['ratio']:.1f}** ({low:.1f} to {high:.1f}) | {f'{target:g}' if target else ''}"
            f" | {row['ours_gigabytes']:.2f}, {row['trl_gigabytes']:.2f}"
            f" | {row['ours_start_seconds']:.1f}, {row['trl_start_seconds']:.1f} |"
        )
    decoded = [row for row in report["rows"] if row["part"] == "decode"]
    if decoded:
        lines += [
            "",
            "| sampling | batch | ours, tokens/s | `generate`, tokens/s | ratio (range) | target |",
            "|---|---|---|---|---|---|",
        ]
    for row in decoded:
        low, high = row["ratio_range"]
        lines.append(
            f"| {row['size']} | {row['batch']} | {row['ours_tokens_a_second']:,.0f}"
            f" | {row['generate_tokens_a_second']:,.0f} | **{row['ratio']:.1f}** ({low:.1f} to {high:.1f})"
            f" | {DECODE_TARGETS.get(row['size'], '')} |"
        )
    shares = [
        f"{row['size']}: ours at {row['share_of_product']:.0%} of the product, TRL at"
        f" {row['share_of_product'] / row['ratio']:.0%}, at most {row['ratio'] / row['share_of_product']:.1f} times TRL"
        for row in report["rows"]
        if "share_of_product" in row
    ]
    if shares:
        lines += [
            "",
            "Training (SFT) against the machine: " + "; ".join(shares) + ". The last number is the ratio that a loop"
            " without any overhead would reach, one that does nothing but products.",
        ]
    return "\n".join(lines)


def write(report: dict, readme: Path) -> None:
    """Replace the tables of this kind of device in the README, and keep the numbers beside it."""
    kind = "cpu" if report["device"] == "cpu" else "gpu"
    begin, end = f"<!-- {kind} tables -->", f"<!-- end of the {kind} tables -->"
    text = readme.read_text(encoding="utf-8")
    before, after = text[: text.index(begin)], text[text.index(end) :]
    readme.write_text(f"{before}{begin}\n{table(report)}\n{after}", encoding="utf-8")
    results = readme.parent / "results"
    results.mkdir(exist_ok=True)
    (results / f"speed-{kind}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[p for p in PARTS if p != "ppo4"], metavar="PART")
    parser.add_argument("--sizes", nargs="+", choices=("1m", "5m", "124m"), default=["1m", "5m"])
    parser.add_argument("--rounds", type=int, default=7, help="steps of each that are timed")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--ppo-python", help="the Python of an environment with requirements-ppo.txt; else no PPO")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md, the numbers in results/")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    report, failed = {"device": options.device, "machine": machine(options), "rows": []}, False
    if "ceiling" in options.only:
        report["ceiling"] = ceiling(options)
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            made = Path(folder) / size
            subprocess.run([sys.executable, HERE / "speed_workers.py", "prepare", size, made], check=True)
            for part in [part for part in PARTS if part in options.only and part != "ceiling"]:
                if part.startswith("ppo") and not options.ppo_python:
                    print(f"{part} is left out: it needs --ppo-python, see requirements-ppo.txt.", file=sys.stderr)
                    continue
                try:
                    row = decode(size, options, made) if part == "decode" else side_by_side(part, size, options, made)
                except RuntimeError as error:  # the others are worth having all the same
                    print(f"{part} at {size} failed. {error}", file=sys.stderr, flush=True)
                    failed = True
                    continue
                if part == "sft" and "ceiling" in report:
                    speed = BATCH * LENGTH / row["ours_seconds"]
                    row["share_of_product"] = speed * flops_a_token(size) / (report["ceiling"]["gigaflops"] * 1e9)
                report["rows"].append(row)
                print(json.dumps(row), flush=True)
    print(table(report))
    if options.write:
        write(report, HERE / "README.md")
    sys.exit(failed)


if __name__ == "__main__":
    main()

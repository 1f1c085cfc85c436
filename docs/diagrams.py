"""Draw the diagrams of the guide: ``python docs/diagrams.py``."""

from html import escape
from pathlib import Path

IMAGES = Path(__file__).parent / "images"

# Questions, answers and the section of docs/guide/choose.rst that each answer opens. The last
# answer of a list has no question: it is left where every answer was no.
QUESTIONS = [
    (("Photos, micrographs or", "scans, and no time?"), ("Pretrained", "network"), "pretrained"),
    (("Pairs of a noisy", "and a clean image?"), ("Learn from", "pairs"), "pairs"),
    (("Clean images", "of this kind?"), ("Learn from", "clean images"), "clean-images"),
    (("Two noisy images", "of each scene?"), ("Learn from", "two copies"), "two-copies"),
    (("Many noisy images,", "or a large one?"), ("Fine-tune on", "noisy images"), "noisy-images"),
    (None, ("Filter", ""), "filters"),
]
SIZES = [
    (("Larger than 96 × 96,", "or of several sizes?"), ("U-Net", "on crops"), "size"),
    (("About 8 × 8,", "and aligned?"), ("Dense", "network"), "size"),
    (None, ("U-Net", "(default)"), "size"),
]
TIME = (("How long may", "training take?"), ("Seconds", "to hours"), "time")
WIDTH, STEP, HEIGHT = 400, 84, 56


def box(x, y, width, lines, kind="question"):
    """A box with one or two lines of text in its middle."""
    lines = [line for line in lines if line]
    top = y + HEIGHT / 2 + 5 - 9 * (len(lines) - 1)
    texts = "".join(
        f'<text x="{x + width / 2:g}" y="{top + 18 * i:g}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="6"/>{texts}'


def right(x, y, length):
    """An arrow to the right from the middle of a box at `y`."""
    return f'<path d="M{x} {y + 28}h{length}m-7 -5l7 5l-7 5"/>'


def down(x, y, length=26):
    """An arrow down."""
    return f'<path d="M{x} {y}v{length}m-5 -7l5 7l5 -7"/>'


def text(x, y, words, kind="note"):
    """Words beside an arrow, or above a row."""
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def svg(height, label, parts):
    """The picture, which takes its colors from the page."""
    role = "group" if any("<a " in part for part in parts) else "img"
    return (
        f'<svg class="diagram" viewBox="0 0 {WIDTH} {height}" role="{role}" '
        f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def link(x, y, width, answer, section):
    """An answer, which a click opens."""
    title = f"{' '.join(answer).strip()}: code to copy"
    answer_box = box(x, y, width, answer, "answer")
    return f'<a href="#{section}"><title>{title}</title>{answer_box}</a>'


def row(y, question, answer, section, word):
    """A question, and its answer to the right."""
    arrow = right(210, y, 50) + text(224, y + 21, word)
    return box(4, y, 206, question) + arrow + link(262, y, 134, answer, section)


def column(y, questions, last_word):
    """Questions one below the other: a yes leads to the right, a no leads down."""
    parts = []
    for i, (question, answer, section) in enumerate(questions):
        if question is None:
            parts.append(link(4, y, 206, answer, section))
            continue
        word = last_word if questions[i + 1][0] is None else "no"
        parts.append(row(y, question, answer, section, "yes"))
        parts.append(down(60, y + HEIGHT) + text(72, y + HEIGHT + 18, word))
        y += STEP
    return parts


def choose():
    """First how to learn, or whether; then which network, and how long."""
    y = 4 + STEP * len(QUESTIONS)
    below = y + 28 + STEP * len(SIZES)
    parts = [
        *column(4, QUESTIONS, "no, or no time to train"),
        text(4, y + 14, "If it learns:", "title"),
        *column(y + 28, SIZES, "no"),
        row(below, *TIME, ""),
    ]
    label = "Questions about your images. Each answer is a link to code on this page."
    return svg(below + 68, label, parts)


def pipelines():
    """What goes through a Pipeline in each of its three forms."""
    rows = [
        ("Train", [("clean", "images"), ("denoiser with", "noise= inside"), ("network", "")]),
        ("Compare", [("clean", "images"), ("noise, then", "denoiser"), ("score", "")]),
        ("Deploy", [("noisy", "images"), ("denoiser", "alone"), ("denoised", "images")]),
    ]
    parts = []
    for i, (title, boxes) in enumerate(rows):
        y = 22 + 92 * i
        parts.append(text(4, y - 6, title, "title"))
        for x, width, lines in zip((4, 128, 290), (92, 130, 106), boxes, strict=True):
            parts.append(box(x, y, width, lines, "answer" if x == 128 else "question"))
        parts += [right(96, y, 30), right(258, y, 30)]
    label = (
        "Train: clean images go into a denoiser that has a noise model, which makes a network. "
        "Compare: clean images go through a noise model and a denoiser, which makes a score. "
        "Deploy: noisy images go through the denoiser alone."
    )
    return svg(268, label, parts)


def several_processes():
    """One batch, shared by two processes."""
    parts = [
        box(110, 4, 180, ("one batch:", "order, crops, noise")),
        down(160, 60) + down(240, 60),
        box(20, 88, 170, ("process 0:", "first half"), "answer"),
        box(210, 88, 170, ("process 1:", "second half"), "answer"),
        down(160, 144) + down(240, 144),
        box(110, 172, 180, ("sum of gradients", "and losses")),
        down(200, 228),
        box(110, 256, 180, ("the same network", "in both processes")),
    ]
    label = (
        "Two processes take one half each of the same batch. Their gradients and losses are added "
        "up, and both hold the same network afterwards."
    )
    return svg(316, label, parts)


def deploying():
    """From a fitted denoiser to the places where it runs."""
    parts = [
        box(110, 4, 180, ("fitted denoiser", "or Pipeline")),
        down(160, 60) + down(240, 60),
        text(84, 79, "save") + text(250, 79, "to_onnx"),
        box(20, 88, 170, (".safetensors,", "no code in it"), "answer"),
        box(210, 88, 170, (".onnx", ""), "answer"),
        down(105, 144) + down(295, 144),
        box(20, 172, 170, ("skdae.load, or", "skdae denoise")),
        box(210, 172, 170, ("ONNX Runtime,", "without Python")),
    ]
    label = (
        "save writes a safetensors file, which skdae.load and the command skdae denoise read. "
        "to_onnx writes an ONNX file for ONNX Runtime."
    )
    return svg(232, label, parts)


DIAGRAMS = {f.__name__: f for f in (choose, pipelines, several_processes, deploying)}

if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        (IMAGES / f"{name}.svg").write_text(draw(), encoding="utf-8")
        print(f"{name}.svg is drawn.")

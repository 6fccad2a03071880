import math
import re
import xml.etree.ElementTree as ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from noria.console.charts import Bars, Mark, Series, bar, figure, plot, round_ticks, tick_texts, whisker
from noria.console.figures import readable

finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(
    st.none(), finite, st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7e308, -1.7e308])
)
points = st.lists(st.tuples(finite, values, st.text(max_size=8)), max_size=12)
series = st.builds(
    Series, st.text(max_size=8), points, st.integers(0, 5), line=st.booleans(), dashed=st.booleans(), step=st.booleans()
)
marks = st.lists(st.builds(Mark, finite, st.text(max_size=8), line=st.booleans()), max_size=3)
bars = st.lists(st.builds(Bars, st.lists(st.tuples(finite, finite, finite), max_size=3)), max_size=2)
ticks = st.one_of(st.none(), st.lists(st.tuples(finite, st.text(max_size=8)), max_size=6))


def numbers_of(svg: ElementTree.Element) -> list[float]:
    """Every coordinate of a drawing."""
    found: list[str] = []
    for element in svg.iter():
        for name, value in element.attrib.items():
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "d", "width", "viewBox"):
                assert re.search("[a-z]", value.replace("e", "")) is None, value
                found += re.findall(r"-?\d+(?:\.\d+)?", value)
    return [float(one) for one in found]


@given(st.lists(series, max_size=3), marks, bars, ticks, st.text(max_size=8), st.booleans())
def test_any_values_give_a_drawing_that_is_xml(series, marks, bars, ticks, label, diagonal):
    text = plot(series, label=label, marks=marks, bars=bars, x_ticks=ticks, diagonal=diagonal)
    root = ElementTree.fromstring(text)
    some = any(y is not None and math.isfinite(y) for one in series for _, y, _ in one.points)
    assert root.tag == ("svg" if some else "p")
    assert all(abs(number) < 1e4 for number in numbers_of(root))
    assert label == "" or not some or root.attrib["aria-label"].split() == readable(label).split()


@given(points)
def test_every_value_is_drawn_inside_the_frame_and_a_gap_is_not(points):
    root = ElementTree.fromstring(plot([Series("s", points)], label="l", width=340, height=200))
    circles = list(root.iter("circle"))
    assert len(circles) == sum(y is not None and math.isfinite(y) for _, y, _ in points)
    for circle in circles:
        assert 0 <= float(circle.attrib["cx"]) <= 340
        assert 0 <= float(circle.attrib["cy"]) <= 200


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20, unique=True))
def test_a_higher_value_is_drawn_higher(ys):
    root = ElementTree.fromstring(plot([Series("s", [(n, y, "") for n, y in enumerate(ys)])], label="l"))
    heights = [float(circle.attrib["cy"]) for circle in root.iter("circle")]
    order = sorted(range(len(ys)), key=ys.__getitem__)
    assert [heights[n] for n in order] == sorted(heights, reverse=True)


@given(finite, finite)
@example(0.0, 5e-324)
@example(1e17, 1e17)
@example(-1.7e308, 1.7e308)
def test_ticks_are_few_rise_and_enclose_the_range(one, other):
    low, high = min(one, other), max(one, other)
    found = round_ticks(low, high)
    assert 2 <= len(found) <= 13
    assert found == sorted(set(found))
    slack = 1e-9 * max(found[-1] - found[0], abs(found[0]), abs(found[-1]))
    assert found[0] <= max(low, -1e300) + slack
    assert found[-1] >= min(high, 1e300) - slack
    texts = tick_texts(found)
    assert len(texts) == len(found)


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e6))
def test_ticks_of_ordinary_ranges_have_texts_that_differ(low, width):
    texts = tick_texts(round_ticks(low, low + width))
    assert len(set(texts)) == len(texts)


def test_tick_texts_that_have_no_room_are_left_out():
    days = [(float(n), f"{n} Dec") for n in range(1, 32)]
    many = [Series("s", [(x, x, "") for x, _ in days])]
    counts = [
        plot(many, label="l", x_ticks=days, width=width).count('text-anchor="middle"') for width in (340, 880, 2400)
    ]
    assert counts[0] < counts[1] < counts[2] == 31


@given(st.tuples(finite, finite, finite), st.one_of(st.none(), finite), st.tuples(finite, finite))
def test_a_whisker_of_any_values_is_xml(estimate, other, frame):
    root = ElementTree.fromstring(whisker(*estimate, other, (min(frame), max(frame))))
    assert all(abs(number) < 1e4 for number in numbers_of(root))


@given(st.floats())
def test_a_bar_is_between_nothing_and_all(part):
    (rect,) = ElementTree.fromstring(bar(part))
    assert 0 <= float(rect.attrib["width"]) <= 100
    if 0 <= part <= 1:
        assert math.isclose(float(rect.attrib["width"]), 100 * part, abs_tol=0.01)


def test_a_figure_is_drawn_for_a_desk_and_for_a_phone():
    root = ElementTree.fromstring(f"<div>{figure([Series('s', [(0, 1, 'hover'), (1, 2, 'hover')])], label='l')}</div>")
    wide, narrow = root
    assert (wide.attrib["class"], narrow.attrib["class"]) == ("wide", "narrow")
    assert len(list(wide.iter("title"))) == 2
    assert len(list(narrow.iter("circle"))) == 2
    assert list(narrow.iter("title")) == []

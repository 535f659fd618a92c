"""The widgets in a browser, on a page without a kernel."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from llmlab.data import BPETokenizer
from llmlab.display import (
    Architecture,
    AttentionMap,
    BPEExplorer,
    Choice,
    LiveLoss,
    LossCurves,
    MaskingGame,
    PositionClocks,
    QueryKeyPlane,
    Question,
    Quiz,
    figure_svg,
    head_view,
    line_figure,
    model_view,
)
from llmlab.models import GPTConfig
from tests.browser import eventually

TOKENS = ["the", " cat", "sat", "on", "it"]
THEMES = pytest.mark.parametrize(("dark", "width"), [(False, 800), (True, 800), (False, 375)])


@pytest.fixture
def everything(make_maps, make_run):
    quiz = Quiz(
        [
            Question("One of `two`?", [Choice("a", True, "Yes a."), Choice("b", False, "Not b.")]),
            Question(
                "Some of three?",
                [Choice("c", True, "c."), Choice("d", True, "d."), Choice("e", False, "e.")],
                kind="multiple",
            ),
            Question(
                "How many?",
                [Choice("1024", True, "2 to the 10."), Choice("20", False, "2 times 10.")],
                kind="number",
                tolerance=1,
            ),
        ]
    )
    return [
        AttentionMap(make_maps(), TOKENS),
        AttentionMap(make_maps(1, 2, 5), TOKENS),
        LossCurves([make_run("a", 0), make_run("a", 1), make_run("b", 2)], floor=1.2),
        LiveLoss(),
        head_view(make_maps(), TOKENS),
        model_view(make_maps(), TOKENS),
        QueryKeyPlane([1, 0], np.eye(2), np.eye(2), ["one", "other"], width=64),
        PositionClocks(np.arange(8), np.ones(8)),
        Architecture(GPTConfig(9, 8, 2, 2, 8)),
        BPEExplorer(BPETokenizer.train("the cat sat on the mat " * 9, 270), "the cat"),
        MaskingGame(["a line of letters"], [[3]], lambda window, at: [("i", 0.5)], context=8),
        LossCurves(make_run("a"), samples={20: "a text " * 40}),
        quiz,
    ]


@THEMES
def test_everything_fits_its_page(everything, mount, dark, width):
    page = mount(*everything, dark=dark, width=width)
    expect(page.locator(".llmlab")).to_have_count(len(everything))
    eventually(
        lambda: page.evaluate("document.documentElement.scrollWidth"), lambda found: found <= width
    )
    read = "[...document.querySelectorAll('.llmlab [id]')].map(n => n.id)"
    eventually(
        lambda: [name for name in page.evaluate(read) if name.startswith(("ll-", "quiz-"))],
        lambda names: len(names) == len(set(names)),
    )


def test_leaving_removes_every_listener_and_element(everything, mount):
    page = mount(*everything)
    page.evaluate("window.stops.forEach((stop) => stop())")
    expect(page.locator(".llmlab")).to_have_count(0)
    eventually(
        lambda: page.evaluate("window.models.map((model) => model.count())"), [0] * len(everything)
    )


def test_no_key_reaches_the_notebook_around(everything, mount):
    page = mount(*everything)
    page.evaluate("document.addEventListener('keydown', (event) => { window.heard = event.key; })")
    for widget in page.locator(".llmlab").all():
        control = widget.locator("button:visible, input:visible, [tabindex='0']:visible").first
        if control.count():  # a live plot without steps has none
            control.press("a")
        eventually(lambda: page.evaluate("window.heard"), lambda found: found is None)


@THEMES
def test_the_map_draws_weights_in_the_colours_of_the_theme(make_maps, mount, dark, width):
    page = mount(AttentionMap([np.eye(5)], TOKENS), dark=dark, width=width)
    pixel = """() => { const c = document.querySelector('.ll-map canvas');
        // of a copy: who reads a canvas itself again and again is warned
        const p = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        p.drawImage(c, 12 - c.width, 12 - c.height);
        return [...p.getImageData(0, 0, 1, 1).data]; }"""
    wanted = [88, 172, 236, 255] if dark else [31, 120, 180, 255]
    eventually(lambda: page.evaluate(pixel), wanted)


def test_the_map_repaints_when_the_page_turns_dark(mount):
    page = mount(AttentionMap([np.eye(5)], TOKENS))
    read = "document.querySelector('.ll-map canvas').toDataURL()"
    before = page.evaluate(read)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    eventually(lambda: page.evaluate(read), lambda found: found != before)


def test_arrow_keys_move_the_query_and_say_the_python_sentence(make_maps, mount):
    widget = AttentionMap(make_maps(), TOKENS, query=0)
    page = mount(widget)
    page.locator(".ll-tokens").focus()
    for key, query in (("ArrowRight", 1), ("ArrowDown", 2), ("ArrowLeft", 1), ("End", 4)):
        page.keyboard.press(key)
        eventually(lambda: page.evaluate("models[0].get('query')"), query)
        widget.query = query
        expect(page.locator(".ll-says")).to_contain_text(widget.sentence()[:-1])
    eventually(
        lambda: page.locator("[aria-selected=true]").inner_text(),
        lambda found: found.startswith("it"),
    )


def test_arrow_keys_choose_layer_and_head(make_maps, mount):
    page = mount(AttentionMap(make_maps(), TOKENS))
    page.locator(".ll-heads [aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    eventually(lambda: page.evaluate("[models[0].get('layer'), models[0].get('head')]"), [1, 1])
    eventually(
        lambda: page.evaluate("document.activeElement.getAttribute('aria-label')"),
        "layer 1, head 1",
    )
    eventually(
        lambda: page.locator(".ll-says").inner_text(),
        lambda found: found.startswith("Layer 1, head 1:"),
    )


def test_the_mouse_reads_a_cell_and_a_tap_a_token(mount):
    page = mount(AttentionMap([np.tri(5) / np.tri(5).sum(1, keepdims=True)], TOKENS))
    box = page.locator(".ll-map canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    eventually(lambda: page.locator(".ll-cell").inner_text(), "“it” → “it”: 0.200")
    page.locator(".ll-token").nth(1).click()
    eventually(lambda: page.evaluate("models[0].get('query')"), 1)
    eventually(
        lambda: page.locator(".ll-token small").all_inner_texts(), [".50", ".50", "", "", ""]
    )


def test_the_table_lists_every_weight(make_maps, mount):
    page = mount(AttentionMap(make_maps(), TOKENS))
    page.locator("summary").click()
    expect(page.locator("tbody tr")).to_have_count(5)


def test_keys_read_the_loss_curves(make_run, mount):
    page = mount(LossCurves(make_run("a")))
    plot = page.locator(".ll-plot")
    plot.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    eventually(lambda: plot.get_attribute("aria-valuenow"), "1")
    eventually(
        lambda: plot.get_attribute("aria-valuetext"),
        lambda found: found.startswith("step 1: a train 3.8"),
    )
    page.keyboard.press("End")
    ends = ("aria-valuenow", "aria-valuemax")
    eventually(lambda: [plot.get_attribute(name) for name in ends], ["60", "60"])
    page.keyboard.press("Escape")
    expect(page.locator(".ll-cursor")).to_have_count(0)


def test_the_mouse_reads_the_loss_curves(make_run, mount):
    page = mount(LossCurves(make_run("a")))
    box = page.locator(".ll-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    expect(page.locator(".ll-cursor")).to_have_count(1)
    eventually(lambda: page.locator(".ll-loss").inner_text(), lambda found: "at step" in found)


def test_buttons_change_axes_smoothing_and_curves(make_run, mount):
    page = mount(LossCurves([make_run("a"), make_run("b", 1)]))
    drawn = "document.querySelector('.ll-plot svg').outerHTML"
    seen: list[str] = []
    seen.append(eventually(lambda: page.evaluate(drawn), bool))
    for name in ("logarithmic horizontal axis", "logarithmic vertical axis", "smooth"):
        button = page.get_by_role("button", name=name)
        button.click()
        eventually(lambda: button.get_attribute("aria-pressed"), "true")
        seen.append(eventually(lambda: page.evaluate(drawn), lambda found: found not in seen))
    page.locator("select").select_option(label="by tokens")
    seen.append(eventually(lambda: page.evaluate(drawn), lambda found: found not in seen))
    assert not any("NaN" in drawing for drawing in seen)
    first = page.locator(".ll-legend button").first
    first.click()
    eventually(lambda: first.get_attribute("aria-pressed"), "false")
    for button in page.locator(".ll-legend button").all()[1:]:
        button.click()
    eventually(
        lambda: page.locator(".ll-loss").inner_text(),
        lambda found: "All curves are hidden." in found,
    )


def test_a_live_plot_fills_as_its_traits_change(mount):
    live = LiveLoss()
    page = mount(live)
    eventually(lambda: page.locator(".ll-loss").inner_text(), lambda found: "No steps yet" in found)
    for step in range(1, 40):
        live(None, {"step": step, "loss": 4 / step, "tokens": step, "seconds": step})
    live.flush()
    data = base64.b64encode(live.data).decode()
    page.evaluate(
        "([s, d]) => { models[0].set('series', s); models[0].set('data', view(d)); }",
        [live.series, data],
    )
    expect(page.locator(".ll-waiting")).to_be_hidden()
    eventually(lambda: page.locator(".ll-legend").inner_text(), lambda found: "0.103" in found)


RENDER_THEN_ATTACH = """async () => {
  const [{ esm }] = JSON.parse(document.getElementById("data").textContent);
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(address);
  const el = document.createElement("div");
  widget.render({ model: window.models[0], el });
  document.querySelector("main").append(el);
}"""


def test_views_that_are_attached_late_have_their_colours(make_maps, mount):
    page = mount(head_view(make_maps(), TOKENS))
    page.evaluate(RENDER_THEN_ATTACH)
    first, later = page.locator(".ll-heads-view").all()
    later.locator("line").first.wait_for(state="attached")
    eventually(
        lambda: [view.locator("line").first.get_attribute("stroke") for view in (first, later)],
        lambda colours: colours[0] == colours[1] != "",
    )

    page = mount(AttentionMap(make_maps(), TOKENS))
    page.evaluate(RENDER_THEN_ATTACH)
    expect(page.locator(".ll-heads")).to_have_count(2)
    eventually(
        lambda: [
            view.locator("canvas").first.evaluate("node => node.toDataURL()")
            for view in page.locator(".ll-heads").all()
        ],
        lambda pictures: pictures[0] == pictures[1],
    )


def test_bertviz_draws_hides_heads_and_opens_one_by_keyboard(make_maps, mount):
    page = mount(head_view(make_maps(), TOKENS), model_view(make_maps(), TOKENS))
    heads, model = page.locator(".ll-heads-view").all()
    expect(heads.locator("line")).to_have_count(3 * 5 * 5)
    expect(model.locator("line")).to_have_count(2 * 3 * 5 * 5)
    box = heads.locator("[role=checkbox]").nth(1)
    box.focus()
    page.keyboard.press("Enter")
    eventually(lambda: box.get_attribute("aria-checked"), "false")
    model.locator("[role=button]").nth(4).focus()
    page.keyboard.press("Enter")
    eventually(lambda: model.inner_text(), lambda found: "Layer 1, Head 1" in found)
    heads.locator("select").select_option("1")
    expect(heads.locator("[role=checkbox]")).to_have_count(3)


def test_a_quiz_explains_corrects_and_starts_over(everything, mount):
    page = mount(everything[-1])
    forms = page.locator("form").all()
    forms[0].get_by_role("button", name="Check").click()
    eventually(lambda: forms[0].inner_text(), lambda found: "Choose an answer first." in found)
    forms[0].get_by_label("b").check()
    page.keyboard.press("Enter")
    eventually(lambda: forms[0].inner_text(), lambda found: "No. Not b." in found)
    eventually(lambda: forms[0].inner_text(), lambda found: "Yes a." not in found)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    eventually(lambda: forms[0].inner_text(), lambda found: "Right. Yes a." in found)
    expect(forms[0].locator("input").first).to_be_disabled()
    page.keyboard.press("Enter")  # the focus is on "Try again"
    expect(forms[0].locator("input:checked")).to_have_count(0)
    eventually(
        lambda: page.locator(".ll-score").inner_text(), lambda found: "1 of 3 answered" in found
    )


def test_a_quiz_with_several_right_choices_wants_all(everything, mount):
    page = mount(everything[-1])
    form = page.locator("form").nth(1)
    form.get_by_label("c").check()
    form.get_by_role("button", name="Check").click()
    eventually(lambda: form.inner_text(), lambda found: "Right so far, but there is more." in found)
    form.get_by_label("d").check()
    form.get_by_role("button", name="Check").click()
    eventually(lambda: form.get_by_role("status").inner_text(), "Right.")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("1024", "2 to the 10."),
        ("1,024.5", "2 to the 10."),
        ("1.024,5", "2 to the 10."),
        ("1 024", "2 to the 10."),
        ("+1024", "2 to the 10."),
        ("20", "2 times 10."),
        ("7", "Not yet: the answer is larger."),
        ("0", "Not yet: the answer is larger."),
        ("2000", "Not yet: the answer is smaller."),
        ("-1024", "Not yet: check the sign."),
        ("10.24", "Not yet: the digits are right, the decimal point is not."),
        ("many", "Type a number first."),
        ("1,2,3", "Type a number first."),
    ],
)
def test_a_typed_number_is_read_kindly(everything, mount, typed, says):
    page = mount(everything[-1])
    form = page.locator("form").nth(2)
    form.locator("input").fill(typed)
    page.keyboard.press("Enter")
    eventually(lambda: form.inner_text(), lambda found: says in found)


@pytest.mark.parametrize(
    ("typed", "right"),
    [("0,125", True), ("0.125", True), (",125", True), (".125", True), ("125", False)],
)
def test_a_decimal_comma_separates_no_thousands(mount, typed, right):
    choice = Choice("0.125", True, "One eighth.")
    page = mount(Quiz([Question("How much?", [choice], kind="number")]))
    page.locator("form input").fill(typed)
    page.keyboard.press("Enter")
    says = page.locator("form").get_by_role("status")
    expect(says).to_have_text("Right." if right else re.compile("^Not yet"))


@pytest.mark.parametrize("ink", ["rgb(34, 34, 34)", "rgb(206, 214, 221)"])
def test_a_figure_takes_the_ink_of_its_page_and_fits_a_phone(browser, ink):
    drawing = figure_svg(line_figure([1, 2, 3], {"a": [1, 3, 2]}, xlabel="step"), "a line")
    page = browser.new_page(viewport={"width": 375, "height": 600})
    page.set_content(f"<body style='color: {ink}'>{drawing}</body>")
    text = page.locator("text", has_text="step")
    eventually(lambda: text.evaluate("node => getComputedStyle(node).fill"), ink)
    eventually(lambda: page.locator("svg").bounding_box()["width"], lambda found: found <= 375)
    expect(page.get_by_role("img", name="a line")).to_have_count(1)
    page.close()


COVERED = """() => {
    const box = (node) => node.getBoundingClientRect();
    const boxesOf = (names) => [...document.querySelectorAll(names)].map(box);
    const [[frame], [{ right: edge }]] = [boxesOf("rect.detail"), boxesOf(".ll-scroll svg")];
    const boxes = boxesOf("[role=button]");
    const free = ({ right, bottom }) => right <= frame.left + 1 || bottom <= frame.top + 1;
    return [boxes.filter((box) => !free(box)).length, frame.right <= edge + 1];
}"""


@pytest.mark.parametrize("width", [800, 390])
def test_an_enlarged_head_covers_no_other(make_maps, mount, width):
    page = mount(model_view(make_maps(3, 4, 5), TOKENS), width=width)
    for index in (0, 5, 11):
        page.locator("[role=button]").nth(index).focus()
        page.keyboard.press("Enter")
        expect(page.locator("rect.detail")).to_have_count(1)
        eventually(lambda: page.evaluate(COVERED), [0, True])

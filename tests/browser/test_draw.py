"""Draw a digit and see why."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, THREE, draw
from tests.browser.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.needs("browser")]


def numbers(page: Page) -> list[float]:
    """Read the table of the sum, all rows at one moment: the page keeps updating it."""
    texts = page.locator("#sum td").all_inner_texts()
    return [float(re.sub("[ =+]", "", text.replace("−", "-"))) for text in texts]


@pytest.mark.parametrize(("stroke", "digit"), [(SEVEN, "7"), (THREE, "3")])
def test_a_drawn_digit_is_classified_and_the_evidence_adds_up(
    open_page: OpenPage, stroke: tuple[tuple[float, float], ...], digit: str
) -> None:
    with open_page() as page:
        draw(page, stroke)
        expect(page.locator("#reading strong")).to_have_text(digit)
        expect(page.locator("#bars .best .digit")).to_have_text(digit)
        expect(page.locator("#bars li")).to_have_count(10)
        expect(page.locator("#sum .logit th")).to_have_text(f"Logit of {digit}")
        sum_for, sum_against, bias, total, logit = numbers(page)
        assert sum_for + sum_against + bias == pytest.approx(total, abs=0.0021)  # each is rounded
        assert total == pytest.approx(logit, abs=0.0011)
        assert page.evaluate("scrollY") == 0


def test_why_this_and_not_that(open_page: OpenPage) -> None:
    with open_page() as page:
        draw(page, THREE)
        expect(page.locator("#reading strong")).to_have_text("3")
        page.get_by_label("and not").select_option("5")
        expect(page.locator("#sum .logit th")).to_have_text("Logit of 3 minus logit of 5")
        assert page.get_by_label("Why", exact=True).input_value() == "3"
        page.locator("#evidence").hover()
        expect(page.locator("#pixel")).to_contain_text("Row 1")
        page.locator("#evidence").focus()
        before = page.locator("#pixel").inner_text()
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
            expect(page.locator("#pixel")).to_contain_text(", column ")
        expect(page.locator("#pixel")).to_have_text(before)
        page.get_by_label("Model", exact=True).select_option("mnist-2-vs-3")
        expect(page.locator("#bars li")).to_have_count(2)
        assert "model=mnist-2-vs-3" in page.url
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#reading")).to_contain_text("Nothing drawn yet")


def test_the_evidence_for_each_digit_and_the_smallest_change(open_page: OpenPage, client: httpx.Client) -> None:
    with open_page("/?model=mnist-softmax&image=mnist/test/7") as page:
        expect(page.locator("#reading strong")).to_have_text("9")
        picture = client.get("/datasets/mnist/images/7.png?part=test").content
        answer = client.post(
            "/models/mnist-softmax/explain", content=picture, headers={"Content-Type": "image/png"}
        ).json()
        tiles = page.locator("#cases .tile")
        expect(tiles.nth(4)).to_contain_text(f"{answer['logits']['4']:+.2f}".replace("-", "−"))
        expect(page.locator("#cases .best .digit")).to_have_text("9")
        page.locator("#cases .tile canvas").nth(9).hover()
        expect(page.locator("#cases .pointed")).to_contain_text("9, row")
        tiles.nth(4).click()
        expect(page.locator("#sum .logit th")).to_have_text("Logit of 4")
        expect(page.locator("#flip")).to_contain_text(f"becomes a {answer['flip']['digit']}")
        before, after = (np.array(pixels) for pixels in (answer["pixels"], answer["flip"]["pixels"]))
        expect(page.locator("#flip")).to_contain_text(f"{np.count_nonzero(before - after)} pixels changed")
        page.get_by_role("button", name="Test image").click()
        page.wait_for_url(re.compile(r"image=mnist%2Ftest%2F\d+"))
        draw(page, SEVEN)
        expect(page.locator("#reading strong")).to_have_text("7")
        assert "image" not in page.url


def test_a_network_shows_the_logit_of_each_digit_and_explains_any(open_page: OpenPage, client: httpx.Client) -> None:
    with open_page("/?model=mnist-digits&image=mnist/test/7") as page:
        expect(page.locator("#reading strong")).to_have_text("9")
        picture = client.get("/datasets/mnist/images/7.png?part=test").content
        answer = client.post(
            "/models/mnist-digits/explain", content=picture, headers={"Content-Type": "image/png"}
        ).json()
        tiles = page.locator("#cases .tile")
        expect(tiles.nth(4)).to_contain_text(f"{answer['logits']['4']:+.2f}".replace("-", "−"))
        tiles.nth(4).click()
        expect(page.locator("#sum .logit th")).to_have_text("Logit of 4")
        expect(page.locator("#sum")).to_contain_text("Blank image")
        expect(page.locator("#flip")).to_contain_text(f"becomes a {answer['flip']['digit']}")


def test_a_drawing_is_undone_and_outlasts_a_reload_and_going_back(open_page: OpenPage) -> None:
    with open_page() as page:
        reading = page.locator("#reading strong")
        draw(page, SEVEN)
        expect(reading).to_have_text("7")
        page.reload()
        expect(reading).to_have_text("7")
        page.get_by_role("link", name="Train", exact=True).click()
        page.get_by_role("link", name="Draw", exact=True).click()
        expect(reading).to_have_text("7")
        page.keyboard.press("c")
        expect(page.locator("#reading")).to_contain_text("Nothing drawn yet")
        assert "ink" not in page.url
        page.keyboard.press("z")
        expect(reading).to_have_text("7")
        page.get_by_label("Eraser").check()
        draw(page, SEVEN)
        expect(page.locator("#doubts")).to_contain_text("The image is blank")


def test_one_pointer_at_a_time_draws(open_page: OpenPage) -> None:
    with open_page() as page:
        page.evaluate(
            """() => {
                const pad = document.getElementById("pad");
                const { x, y } = pad.getBoundingClientRect();
                const send = (kind, pointerId, at) => pad.dispatchEvent(
                    new PointerEvent(kind, { pointerId, clientX: x + at, clientY: y + at, bubbles: true, button: 0 }));
                pad.setPointerCapture = () => {};
                send("pointerdown", 1, 50);
                send("pointerdown", 2, 200);
                for (const at of [60, 70, 80]) {
                    for (const id of [1, 2]) send("pointermove", id, at + 100 * (id - 1));
                }
                send("pointerup", 2, 180);
                send("pointermove", 1, 90);
                send("pointerup", 1, 90);
            }"""
        )
        (stroke,) = page.evaluate(
            """async () => {
                const { read } = await import("/static/page/draw/ink.js");
                return read(new URLSearchParams(location.search).get("ink"));
            }"""
        )
        places = [x * page.locator("#pad").bounding_box()["width"] / 560 for x, _ in stroke["points"]]
        np.testing.assert_allclose(places, [50, 60, 70, 80, 90], atol=2)


def test_on_a_phone_the_prediction_is_directly_under_the_paper(open_page: OpenPage) -> None:
    with open_page(width=390) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        draw(page, SEVEN)
        expect(page.locator("#reading strong")).to_have_text("7")
        expect(page.locator("#bars li:visible")).to_have_count(3)
        assert page.evaluate("scrollY") == 0
        paper, verdict = (page.locator(part).bounding_box() for part in ("#pad", ".seen-card"))
        assert paper and verdict
        assert paper["y"] + paper["height"] <= verdict["y"] < paper["y"] + paper["height"] + 40
        assert verdict["y"] + verdict["height"] <= 844


def test_a_prediction_is_made_once_the_server_is_back(open_page: OpenPage) -> None:
    with open_page(allowed=("ERR_FAILED",)) as page:
        page.route("**/explain*", lambda route: route.abort())
        draw(page, SEVEN)
        expect(page.locator("#reading")).to_contain_text("The server cannot be reached")
        page.unroute("**/explain*")
        expect(page.locator("#reading strong")).to_have_text("7")


def test_an_address_holds_every_stroke(open_page: OpenPage) -> None:
    with open_page() as page:
        drawn, again = page.evaluate(
            """async () => {
                const { extended, read, written } = await import("/static/page/draw/ink.js");
                const places = [[[0, 0], [560, 560], [3, 500]], [[600, -20]], [[10, 10], [11, 11], [300, 12]]];
                const strokes = places.map((points, i) =>
                    points.reduce(extended, { width: 26 + i, isEraser: i === 1, points: [] }));
                return [strokes, read(written(strokes))];
            }"""
        )
    assert drawn == again
    assert [stroke["points"][-1] for stroke in drawn] == [[3, 500], [560, 0], [300, 12]]


def test_a_doubtful_prediction_looks_doubtful_and_a_test_image_shows_its_label(open_page: OpenPage) -> None:
    with open_page("/?image=mnist/test/7") as page:
        expect(page.locator(".truth")).to_have_text("Its label is 9: right.")
        expect(page.locator(".unsure")).to_have_count(0)
        page.get_by_role("button", name="Clear").click()
        for shift in (0.02, 0.55):
            draw(page, tuple((0.4 * x + shift, 0.3 + 0.4 * y) for x, y in SEVEN))
        expect(page.locator("#reading strong")).to_have_text("77")
        expect(page.locator("#doubts")).to_be_empty()  # what is read as a number is no doubtful digit
        expect(page.get_by_role("group", name="It should be a")).to_have_count(0)
        expect(page.locator(".truth")).to_have_count(0)
        badges, pad = page.locator(".boxes b"), page.locator("#pad").bounding_box()
        expect(badges).to_have_text(["7", "7"])
        places = [box for box in (each.bounding_box() for each in page.locator(".boxes li").all()) if box]
        corners = [((box["x"] - pad["x"]) / pad["width"], (box["y"] - pad["y"]) / pad["height"]) for box in places]
        np.testing.assert_allclose(corners, [(0.13 - 0.035, 0.388 - 0.035), (0.662 - 0.035, 0.388 - 0.035)], atol=0.02)


def test_digits_that_fill_a_phone_are_a_number(open_page: OpenPage) -> None:
    """Together they are thick and flat, and to the detector no digit."""
    zero = ((0.5, 0.1), (0.2, 0.3), (0.2, 0.7), (0.5, 0.9), (0.8, 0.7), (0.8, 0.3), (0.5, 0.1))
    four = (((0.6, 0.1), (0.2, 0.6), (0.85, 0.6)), ((0.65, 0.35), (0.65, 0.9)))
    seven = ((0.2, 0.15), (0.8, 0.15), (0.4, 0.9))
    with open_page(width=390) as page:
        for place, strokes in enumerate(((seven,), (zero,), four)):
            for stroke in strokes:
                draw(page, tuple((0.05 + 0.31 * place + 0.28 * x, 0.3 + 0.4 * y) for x, y in stroke))
        expect(page.locator("#reading strong")).to_have_text("704")
        expect(page.locator(".boxes b")).to_have_text(["7", "0", "4"])


def test_each_step_of_preprocessing_is_shown_as_a_picture(open_page: OpenPage, tmp_path: Path) -> None:
    with open_page() as page:
        page.locator("#picture").set_input_files(photograph(tmp_path / "photo.jpg"))
        page.get_by_text("step by step").click()
        steps = page.locator(".steps img")
        expect(steps).to_have_count(page.locator(".seen li").count())
        wait_until(page, "() => [...document.querySelectorAll('.steps img')].every(image => image.naturalWidth > 0)")
        expect(steps.last).to_have_js_property("naturalWidth", 28)


def test_the_webcam_takes_a_picture(open_page: OpenPage) -> None:
    with open_page() as page:
        page.evaluate(
            """() => {
                const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
                const context = canvas.getContext("2d");
                context.fillStyle = "#ddd";
                context.lineWidth = 16;
                setInterval(() => {
                    context.fillRect(0, 0, 320, 240);
                    context.stroke(new Path2D("M120 60H200L150 190"));
                }, 50);
                navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(10);
            }"""
        )
        page.get_by_role("button", name="Webcam").click()
        wait_until(page, "() => document.querySelector('video').videoWidth > 0")
        page.get_by_role("button", name="Take the picture").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator("#reading strong")).to_have_text("7")
        page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('NotAllowed')) }")
        page.get_by_role("button", name="Webcam").click()
        expect(page.get_by_role("alert")).to_contain_text("The camera cannot be used")


def test_many_pictures_give_a_table_and_a_csv(open_page: OpenPage, client: httpx.Client, tmp_path: Path) -> None:
    for index in (0, 7):
        path = f"/datasets/mnist/images/{index}.png?part=test&upscale=10"
        (tmp_path / f"{index}.png").write_bytes(client.get(path).content)
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    with open_page() as page:
        page.locator("#picture").set_input_files(sorted(tmp_path.iterdir()))
        expect(page.locator("#batch tbody td:nth-child(2)")).to_have_text(["7", "9", "–"])
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as CSV").click()
        lines = download.value.path().read_text().splitlines()
    assert len(lines) == 4 and lines[0].startswith("name,")


def test_pens_smooth_curves_and_the_switch_for_ink(open_page: OpenPage) -> None:
    bend = ((0.2, 0.8), (0.5, 0.2), (0.8, 0.8))
    with open_page("/?model=mnist-softmax", allowed=("willReadFrequently",)) as page:
        shares = []
        for pen in ("thin", "thick"):
            page.get_by_label(f"{pen} pen").check(force=True)
            draw(page, bend)
            shares.append(page.evaluate(SHARE_OF_INK))
            page.keyboard.press("c")
        assert 1.5 < shares[1] / shares[0] < 2.5  # 56 units against 26
        draw(page, THREE)
        expect(page.locator("#reading strong")).to_have_text("3")
        ink = page.get_by_label("only my ink")
        ink.check()
        expect(page.locator("#sum")).to_contain_text("Blank pixels")
        *parts, total, logit = numbers(page)
        assert len(parts) == 4
        assert sum(parts) == pytest.approx(total, abs=0.0025)  # each is rounded
        assert total == pytest.approx(logit, abs=0.0011)
        page.get_by_label("Model", exact=True).select_option("mnist-digits")
        expect(page.locator("#sum")).to_contain_text("Blank image")
        expect(ink).to_be_hidden()


SHARE_OF_INK = """() => {
    const pad = document.getElementById("pad");
    const { data } = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height);
    return data.filter((value, i) => i % 4 === 0 && value < 128).length / (pad.width * pad.height);
}"""


def test_hidden_units_are_shown_with_the_weights_that_numpy_gives(open_page: OpenPage, client: httpx.Client) -> None:
    picture = client.get("/datasets/mnist/images/7.png?part=test").content
    answer = client.post("/models/mnist-digits/explain", content=picture, headers={"Content-Type": "image/png"}).json()
    unit = next(unit for unit in answer["units"] if unit["layer"] == 2)
    file = np.load(BytesIO(client.get("/models/mnist-digits/versions/1/weights.npz").content))
    kept = client.get("/models/mnist-digits/versions/1").json()["published"]
    first, second = (file[f"{kept}_W{layer}"].astype(float) for layer in (1, 2))
    with open_page("/?model=mnist-digits&image=mnist/test/7") as page:
        shown = page.locator(f".tile[data-unit='2/{unit['unit']}']")
        expect(shown).to_contain_text(f"{unit['share']:+.2f}".replace("-", "−"))
        page.locator("#units").scroll_into_view_if_needed()
        weights = page.evaluate(
            """async ([published, unit]) => [...await (await import("/static/page/weights_file.js")).unitPicture(
                { name: "mnist-digits", version: 1, published }, 2, unit)]""",
            [kept, unit["unit"]],
        )
    np.testing.assert_allclose(weights, first[:-1] @ second[:-1, unit["unit"] - 1], atol=1e-9)


def test_the_first_view_transfers_little(open_page: OpenPage) -> None:
    with open_page() as page:
        page.wait_for_load_state("networkidle")
        n_bytes = page.evaluate(
            """() => ["resource", "navigation"].flatMap(kind => performance.getEntriesByType(kind))
                .reduce((sum, each) => sum + each.transferSize, 0)"""
        )
    assert 20_000 < n_bytes < 130_000


def photograph(path: Path) -> Path:
    """A thick blue 7 on yellowish paper, lit from one side, with noise, as a camera would take it."""
    width, height = 640, 480
    light = np.linspace(0.65, 1.0, width)[np.newaxis, :, np.newaxis] * np.array([235, 225, 195])
    noise = np.random.default_rng(3).normal(0, 5, (height, width, 3))
    picture = Image.fromarray((light + noise).clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(picture).line([(230, 120), (400, 115), (290, 380)], fill=(30, 45, 120), width=30, joint="curve")
    picture.save(path, quality=80)
    return path


def test_a_photograph_is_classified(open_page: OpenPage, tmp_path: Path) -> None:
    with open_page() as page:
        page.locator("#picture").set_input_files(photograph(tmp_path / "photo.jpg"))
        expect(page.locator("#reading strong")).to_have_text("7")
        page.get_by_role("button", name="Clear").click()
        page.locator("#picture").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"7"})
        expect(page.locator("#reading")).to_contain_text("This file is not a picture")


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_can_be_pasted_and_dropped(open_page: OpenPage, tmp_path: Path, way: str) -> None:
    with open_page() as page:
        page.evaluate(
            """([way, base64]) => {
                const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
                const carried = new DataTransfer();
                carried.items.add(new File([bytes], "photo.jpg", {type: "image/jpeg"}));
                const pad = document.getElementById("pad");
                const event = way === "drop"
                    ? new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true})
                    : new ClipboardEvent("paste", {clipboardData: carried, bubbles: true, cancelable: true});
                pad.dispatchEvent(event);
            }""",
            [way, b64encode(photograph(tmp_path / "photo.jpg").read_bytes()).decode()],
        )
        expect(page.locator("#reading strong")).to_have_text("7")


def test_a_picture_can_be_opened(open_page: OpenPage, client: httpx.Client, tmp_path: Path) -> None:
    picture = tmp_path / "digit.png"
    picture.write_bytes(client.get("/datasets/mnist/images/7.png?part=test&upscale=10").content)
    with open_page() as page:
        page.locator("#picture").set_input_files(picture)
        expect(page.locator("#reading strong")).to_have_text("9")


def test_hide_takes_controls_away(open_page: OpenPage) -> None:
    with open_page("/?hide=model,evidence,flip") as page:
        draw(page, THREE)
        expect(page.locator("#reading strong")).to_have_text("3")
        expect(page.get_by_role("heading", name="What would change the prediction?")).to_be_hidden()
        expect(page.get_by_label("Model", exact=True)).to_be_hidden()
        expect(page.get_by_role("heading", name="Why?")).to_be_hidden()
        page.get_by_role("link", name="Train").click()
        assert "hide=model%2Cevidence%2Cflip" in page.url


def collect(page: Page, label: int, name: str = "lesson-one") -> None:
    page.get_by_role("group", name=f"Add it to {name} as a").get_by_role("button", name=str(label)).click()
    expect(page.get_by_text(f"Added to {name} as a {label}.")).to_be_visible()


def test_the_drawings_of_a_class_come_together_are_corrected_and_frozen(
    open_page: OpenPage, client: httpx.Client
) -> None:
    with open_page("/?view=data") as page:
        page.get_by_label("Name of a new collection").fill("lesson-one")
        page.get_by_role("button", name="New collection").click()
        link = page.get_by_label("Link for a class").input_value()
        page.goto(link)
        for label in (7, 1):
            draw(page, SEVEN)
            expect(page.locator("#reading strong")).to_have_text("7")
            collect(page, label)
            page.get_by_role("button", name="Clear").click()
        page.keyboard.press("t")
        expect(page.locator(".truth")).to_be_visible()
        collect(page, 4)
        page.get_by_role("link", name="See the collection").click()
        labels = page.get_by_label("Label", exact=True)
        expect(labels).to_have_count(3)
        page.get_by_role("button", name="Remove this 4").click()
        expect(labels).to_have_count(2)
        page.get_by_role("link", name="misread 1").click()
        expect(page.locator(".collected.misread .reads")).to_have_text(re.compile("^reads 7"))
        page.get_by_role("img", name=re.compile("^A 1, added .+ Open it on the paper")).click()
        expect(page.locator("#reading strong")).to_have_text("7")  # its strokes are on the paper again
        page.go_back()
        expect(labels).to_have_count(1)
        labels.first.select_option("7")
        page.get_by_role("link", name="read right 2").click()
        expect(labels).to_have_count(2)
        page.get_by_role("button", name="Freeze into a data set").click()
        expect(page.get_by_text("1 training images and 1 test images")).to_be_visible()
    (image, _) = client.get("/collections/lesson-one/images").json()["images"]
    (stroke,) = client.get(f"/collections/lesson-one/images/{image['id']}/strokes").json()
    assert (stroke["width"], stroke["is_eraser"], len(stroke["points"]) > 10) == (40, False, True)
    frozen = client.get("/datasets/lesson-one-v1").json()
    assert frozen["training"]["n_by_class"]["7"] == frozen["test"]["n_by_class"]["7"] == 1


@pytest.fixture
def champion_stays(client: httpx.Client) -> Iterator[None]:
    """Let drawings be read by the shipped version again, however a test ends."""
    yield
    client.put("/models/mnist-digits/aliases/champion", json={"version": 1}).raise_for_status()


@pytest.mark.usefixtures("champion_stays")
def test_a_drawing_is_taught_and_read_again_beside_the_old_answer(open_page: OpenPage, client: httpx.Client) -> None:
    with open_page("/?collect=taught", allowed=("404",)) as page:  # the first drawing makes the collection
        draw(page, SEVEN)
        expect(page.locator("#reading strong")).to_have_text("7")
        collect(page, 1, "taught")
        page.get_by_role("button", name="Teach it").click()
        use = page.get_by_role("button", name="Use version")
        for _ in range(2):
            expect(use).to_be_visible(timeout=60_000)
            expect(page.locator(".taught")).not_to_contain_text("…")
            drawing, test_images = page.locator(".taught tbody tr").all_inner_texts()
            assert re.fullmatch(r"This drawing\s+7 \(.+\)\s+\d \(.+\)", drawing), drawing
            assert re.fullmatch(r"Test images\s+99\.09 %\s+9\d\.\d\d %", test_images), test_images
            page.reload()
        use.click()
        page.get_by_role("dialog").or_(page.get_by_text("reads drawings now")).first.wait_for()
        if page.get_by_role("dialog").is_visible():
            page.get_by_role("dialog").get_by_role("button", name="Use version").click()
        expect(page.get_by_text("reads drawings now")).to_be_visible()
        page.reload()  # it is the champion: there is nothing to do
        expect(page.get_by_text("reads drawings now")).to_be_visible()
        expect(use).to_have_count(0)
        job = client.get(f"/jobs/{page.url.partition('taught=')[2][:26]}").json()
    assert job["starts_from"]["name"] == job["config"]["name"] == "mnist-digits"
    made_of = client.get(f"/datasets/{job['config']['dataset']}").json()["made_of"]
    assert [(each["name"], each["weight"]) for each in made_of] == [("mnist", 1), ("taught-v1", 200)]
    pixels = client.get("/collections/taught/readings", params={"model": f"mnist-digits/{job['model']['version']}"})
    before = client.get("/collections/taught/readings", params={"model": "mnist-digits/1"}).json()["images"][0]
    (after,) = pixels.json()["images"]
    assert before["digit"] == 7 and (after["digit"] == 1 or after["probability"] < before["probability"])

"""Every flow of the page in Chromium, against the stub: what is seen, and what the service was asked for."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[3] / "examples"
SOURCE, TARGET = str(EXAMPLES / "source.jpg"), str(EXAMPLES / "target.jpg")
SENTENCE = "Ann and Ben agreed in writing to this change for our film."
both_screens = pytest.mark.parametrize("screen", ["desktop", "phone"])


@pytest.fixture
def group(stub: Any, tmp_path: Path) -> str:
    path = tmp_path / "group.jpg"
    path.write_bytes(stub.draw_group())
    return str(path)


def asked(state: Any, path: str) -> list[Any]:
    return [body for method, place, body in state.asked if place == path and method != "GET"]


def until(page: Any, expression: str) -> None:
    """Wait until `expression` is true; the page's policy forbids the browser's own waiting, which is an eval."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


def choose_two_people(page: Any, target: str) -> None:
    page.set_input_files("#target-file", target)
    page.set_input_files("#add-person", [SOURCE, TARGET])
    page.wait_for_selector(".box >> nth=1")
    page.wait_for_selector(".person >> nth=1")


def test_a_wrong_key_says_what_to_do_and_the_right_one_opens(open_page: Any, state: Any, stub: Any) -> None:
    page = open_page(signed_in=False)
    page.fill("#key", "fck_wrong")
    page.keyboard.press("Enter")
    said = page.wait_for_selector("[role=alert]").inner_text()
    assert "not known here" in said and "facechange keys new" in said
    page.fill("#key", f" {stub.KEY} ")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Change faces')")
    assert page.evaluate("document.cookie") == ""  # no script can read it
    page.click("text=Sign out")
    page.wait_for_selector("#key")
    assert state.sessions == set()


def test_a_link_with_the_key_signs_in_and_leaves_no_key_behind(open_page: Any) -> None:
    assert "key" not in open_page().url


def test_a_session_that_ended_asks_for_the_key(open_page: Any, state: Any) -> None:
    page = open_page()
    state.sessions.clear()
    page.goto(page.url.split("#")[0] + "#/library")
    page.wait_for_selector("#key")


@both_screens
def test_two_people_become_two_others(open_page: Any, state: Any, group: str, screen: str) -> None:
    page = open_page(screen=screen)
    choose_two_people(page, group)
    assert page.get_attribute("#face-2", "aria-label") == "Face 2 becomes Person B"
    page.click("#face-1")
    assert page.evaluate("document.activeElement.type") == "radio"  # the question comes to the keyboard
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#face-1", "aria-label") == "Face 1 becomes Person B"
    page.click("#face-2")
    page.click("label:has-text('Stays as it is')")
    assert "1 face in group.jpg" in page.inner_text(".asked")
    page.fill("textarea", SENTENCE)
    page.click("#start")
    page.wait_for_selector(".pair")
    (request,) = asked(state, "/v1/changes")
    (_, second) = [item["id"] for item in state.items.values() if item["name"] in ("source.jpg", "target.jpg")]
    assert request["rules"] == [{"sources": [second], "selector": "1"}]
    assert (request["consent"], request["strength"], request["keep"]) == (SENTENCE, 1, "mask")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_one_word_is_no_consent_and_nothing_is_asked_for(open_page: Any, state: Any, group: str) -> None:
    page = open_page()
    choose_two_people(page, group)
    page.fill("textarea", "yes")
    page.click("#start")
    assert "“yes” does not say who agreed" in page.wait_for_selector("#consent-said [role=alert]").inner_text()
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.fill("textarea", "")
    page.click("#start")
    assert "not said who agreed" in page.wait_for_selector("#consent-said [role=alert]").inner_text()
    assert asked(state, "/v1/changes") == []


def test_what_is_missing_is_said_with_its_remedy(open_page: Any, state: Any, stub: Any, tmp_path: Path) -> None:
    page = open_page()
    page.click("#start")
    assert "Choose a photograph or a video first." in page.wait_for_selector("[role=alert]").inner_text()
    text = tmp_path / "letter.jpg"
    text.write_text("no picture")
    page.set_input_files("#target-file", str(text))
    refused = page.wait_for_selector(".drop [role=alert]").inner_text()
    assert "letter.jpg is no picture" in refused and "Choose a JPEG" in refused
    nobody = tmp_path / "nobody.jpg"
    Image.new("RGB", (300, 200), "grey").save(nobody)
    page.set_input_files("#target-file", str(nobody))
    assert "No face was found." in page.wait_for_selector(".faces [role=alert]").inner_text()
    state.refusals["/v1/changes"] = stub.Refused(507, "The disk is full.", "Delete what is not needed.")
    page.click("text=Replace")
    page.set_input_files("#target-file", TARGET)
    page.set_input_files("#add-person", SOURCE)
    page.wait_for_selector(".box")
    page.check("text=Nobody in these pictures exists")
    page.click("#start")
    said = page.wait_for_selector("text=The disk is full.").evaluate("node => node.closest('[role=alert]').innerText")
    assert "Delete what is not needed." in said


@both_screens
def test_a_tall_picture_keeps_its_shape_and_its_boxes_their_place(open_page: Any, tmp_path: Path, screen: str) -> None:
    tall = tmp_path / "tall.png"
    picture = Image.new("RGB", (768, 2304), "grey")
    picture.paste(Image.open(TARGET), (0, 768))
    picture.save(tall)
    page = open_page(screen=screen)
    page.set_input_files("#target-file", str(tall))
    page.wait_for_selector(".box")
    where = "(e => {const r = e.getBoundingClientRect(); return [r.width, r.height]})(document.querySelector('%s'))"
    width, height = page.evaluate(where % ".faces img")
    assert abs(height / width - 3) < 0.02
    assert height <= 545
    box = page.evaluate(where % ".box")
    assert abs(box[0] / width - 420 * 3 / 768) < 0.02  # as the stub says, which scales by the height


@both_screens
def test_before_and_after_masks_and_download(open_page: Any, state: Any, screen: str) -> None:
    page = open_page(screen=screen)
    page.set_input_files("#target-file", TARGET)
    page.set_input_files("#add-person", SOURCE)
    page.wait_for_selector(".box")
    page.check("text=Nobody in these pictures exists")
    page.click("#start")
    page.wait_for_selector(".pair")
    page.focus(".divider")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.get_attribute(".divider", "aria-valuetext") == "60 % before, 40 % after"
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).clipPath") == "inset(0px 0px 0px 60%)"
    assert page.evaluate("[...document.querySelectorAll('.pair img')].every((image) => image.naturalWidth > 0)")
    with page.expect_download() as download:
        page.click("a:has-text('Download')")
    result = next(item for item in state.items.values() if item["name"].startswith("Changed"))
    assert Path(download.value.path()).read_bytes() == state.files[result["id"]]
    page.click("text=Full size")
    page.wait_for_selector("dialog .pair")
    page.check("text=Show each pixel")
    assert page.evaluate("document.querySelector('dialog img').getBoundingClientRect().width") == 768
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.innerText") == "Full size"
    page.click("#masks")
    page.wait_for_selector("dialog .sheet")
    assert asked(state, "/v1/masks")[0]["consent"] == "synthetic"


def test_a_job_is_cancelled(open_page: Any, state: Any) -> None:
    state.steps = 600
    page = open_page()
    page.set_input_files("#target-file", TARGET)
    page.set_input_files("#add-person", SOURCE)
    page.wait_for_selector(".box")
    page.check("text=Nobody in these pictures exists")
    page.click("#start")
    page.wait_for_selector("text=/about .* left/")
    page.click("#cancel")
    page.wait_for_selector("h1:has-text('cancelled')")
    assert [job["state"] for job in state.jobs.values()] == ["cancelled"]
    page.goto(page.url.split("#")[0] + "#/jobs")
    assert page.wait_for_selector(".badge").inner_text() == "cancelled"


def test_a_job_ends_although_its_events_do_not_come(open_page: Any, state: Any, stub: Any) -> None:
    page = open_page()
    page.route("**/events", lambda route: route.abort())
    page.set_input_files("#target-file", TARGET)
    page.set_input_files("#add-person", SOURCE)
    page.wait_for_selector(".box")
    page.check("text=All these pictures are of me")
    page.click("#start")
    page.wait_for_selector(".pair")


def test_a_photograph_is_taken_with_the_camera(open_page: Any, state: Any) -> None:
    page = open_page()
    page.click(".target >> text=Take a photograph")
    page.click("dialog button.main:not([disabled])")
    page.wait_for_selector(".box")
    (item,) = state.items.values()
    assert item["name"] == "photograph.jpg"
    assert item["width"] > 100


@both_screens
def test_several_pictures_are_anonymised_and_a_busy_service_is_waited_for(
    open_page: Any, state: Any, stub: Any, screen: str
) -> None:
    state.refusals["/v1/anonymizations"] = stub.Refused(429, "Too many requests.", "Wait.", Retry_After="1")
    page = open_page("anonymise", screen=screen)
    page.set_input_files("#anonymise-files", [SOURCE, TARGET])
    page.wait_for_selector("text=2 files are ready.")
    page.click("#start")
    page.wait_for_selector("text=2 of 2 finished.")
    requests = asked(state, "/v1/anonymizations")
    assert len(requests) == 3
    assert {request["target"] for request in requests} == {"item-0001", "item-0002"}
    assert all("consent" not in request and request["fallback"] == "blur" for request in requests)
    page.click("text=Before and after >> nth=0")
    page.wait_for_selector(".pair")


def test_the_library_keeps_names_sets_ends_and_deletes(open_page: Any, state: Any) -> None:
    page = open_page("library")
    page.wait_for_selector("text=The library is empty.")
    page.click("text=New set")
    page.click("text=Make the set")
    assert "needs a name" in page.wait_for_selector("dialog [role=alert]").inner_text()
    page.get_by_label("Name").fill("Ann")
    page.click("text=Make the set")
    page.wait_for_selector("dialog", state="detached")
    until(page, "document.querySelector('.filters select').value !== ''")  # the new set is chosen
    page.set_input_files(".drop input[multiple]", SOURCE)
    page.click(".tile")
    page.wait_for_selector("h1:has-text('source.jpg')")
    (item,) = state.items.values()
    assert item["set"] == next(iter(state.sets))
    page.click("text=Name, set and end")
    page.get_by_label("Name").fill("Ann laughing")
    page.get_by_label("Delete at the end of").fill("2027-01-31")
    page.click("button:has-text('Save')")
    page.wait_for_selector(".good")
    assert (item["name"], item["expires"]) == ("Ann laughing", "2027-01-31T23:59:59Z")
    page.click("button.danger")
    assert page.evaluate("document.activeElement.innerText") == "Cancel"  # not the one that deletes
    page.click("dialog button.danger")
    page.wait_for_selector("h1:has-text('Deleted')")
    assert item["sha256"] in page.inner_text("main")
    assert state.items == {}


def test_a_character_is_made_and_rendered_again(open_page: Any, state: Any) -> None:
    page = open_page("library")
    page.set_input_files(".drop input[multiple]", SOURCE)
    page.wait_for_selector(".tile")
    page.goto(page.url.split("#")[0] + "#/characters")
    page.click("text=New character")
    page.get_by_label("Name").fill("Mara")
    page.get_by_label("Seed").fill("7")
    page.click("text=Make the character")
    page.wait_for_selector("li h2:has-text('Mara')")
    assert asked(state, "/v1/characters") == [{"name": "Mara", "seed": 7}]
    page.click("text=Render its pictures again")
    page.check("dialog >> text=All these pictures are of me")
    page.click("dialog button.main")
    page.wait_for_selector("text=Character rendered")


def test_a_consent_is_recorded_used_and_taken_back(open_page: Any, state: Any) -> None:
    page = open_page("consents")
    page.wait_for_selector("text=No consents on record.")
    page.click("text=Add a consent")
    page.get_by_label("Who agreed").fill("Ann, 3 May")
    page.click("text=Record it")
    assert "No picture is chosen" in page.wait_for_selector("dialog [role=alert]").inner_text()
    page.set_input_files("dialog .drop input[multiple]", SOURCE)
    page.wait_for_selector("dialog .pictures img")
    page.click("text=Record it")
    assert "The release is missing" in page.wait_for_selector("dialog [role=alert]").inner_text()
    page.set_input_files("#release-file", TARGET)
    page.wait_for_selector("dialog .pictures img[alt='The release itself']")
    page.get_by_label("Last day").fill("2030-05-31")
    page.click("text=Record it")
    page.wait_for_selector("text=/Recorded as fc-/")
    (record,) = state.consents.values()
    assert (record["sources"], record["basis"], record["until"]) == (record["targets"], "release", "2030-05-31")
    page.goto(page.url.split("#")[0] + "#/change")
    page.check("text=It is on record")
    assert record["id"] in page.wait_for_selector(".consent select").inner_text()
    page.goto(page.url.split("#")[0] + "#/consents")
    page.click("button:has-text('Take back')")
    page.get_by_label("Reason").fill("She asked.")
    page.click("dialog button.danger")
    page.wait_for_selector(".badge:has-text('taken back')")
    assert record["reason"] == "She asked."


def test_a_file_is_verified(open_page: Any) -> None:
    page = open_page("verify")
    page.set_input_files("#verify-file", SOURCE)
    assert "Its content credentials hold" in page.wait_for_selector(".outcomes").inner_text()


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """Four seconds of two people beside each other, as WebM."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        picture = Image.open(TARGET).resize((512, 512))
        for number in range(40):
            frame = av.VideoFrame.from_image(picture.rotate(number / 10))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def test_a_video_is_tried_at_three_moments_and_then_changed(open_page: Any, state: Any, clip: str) -> None:
    page = open_page()
    page.set_input_files("#target-file", clip)
    page.set_input_files("#add-person", SOURCE)
    page.wait_for_selector(".box")
    page.check("text=Nobody in these pictures exists")
    assert "everybody’s face in clip.webm" in page.inner_text(".asked")
    page.click("#preview")
    page.wait_for_selector(".preview >> nth=2")
    (tried,) = asked(state, "/v1/previews")
    assert tried["frames"] == 3 and tried["change"]["rules"][0]["selector"] == "all"
    assert state.items[tried["change"]["target"]]["name"] == "clip.webm"
    page.uncheck("#everybody")
    page.click("#start")
    page.wait_for_selector(".player")
    (request,) = asked(state, "/v1/changes")
    face = state.items[request["rules"][0]["selector"].removeprefix("like:")]
    assert face["name"] == "face-1.jpg"
    assert face["expires"]
    until(page, "[...document.querySelectorAll('.pair video')].every((video) => video.readyState >= 2)")
    page.focus(".time")
    page.keyboard.press("End")
    until(page, "[...document.querySelectorAll('.pair video')].every((video) => video.currentTime > 3)")


def test_the_keyboard_alone_changes_a_face(open_page: Any, state: Any) -> None:
    page = open_page()
    page.set_input_files("#target-file", TARGET)
    page.set_input_files("#add-person", SOURCE)
    page.wait_for_selector(".box")
    page.focus(".brand")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        ring = page.evaluate(
            "(e => getComputedStyle(e.closest('label.button, .pair') ?? e).outlineStyle)(document.activeElement)"
        )
        assert ring != "none", f"no focus ring on {seen[-1]}"
        if seen[-1] == "TEXTAREA" or page.evaluate("document.activeElement.matches('textarea')"):
            page.keyboard.type(SENTENCE)
        if seen[-1] == "start":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".pair")
    assert "face-1" in seen
    assert asked(state, "/v1/changes")[0]["consent"] == SENTENCE


def test_a_picture_that_the_browser_cannot_show_is_seen_small(open_page: Any, state: Any) -> None:
    out = io.BytesIO()
    Image.open(TARGET).save(out, "TIFF")
    item = state.add(out.getvalue(), "scan.tiff")
    page = open_page(f"library/{item['id']}")
    until(page, "document.querySelector('.shown img')?.naturalWidth === 320")


def test_a_large_file_goes_in_parts_and_on_after_a_broken_connection(
    open_page: Any, state: Any, stub: Any, tmp_path: Path
) -> None:
    large = tmp_path / "large wedding ä.webm"
    large.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(17 << 20))
    state.refusals["PATCH /v1/uploads/upl-0001"] = stub.Refused(503, "Not ready.", "Try again.")
    page = open_page("library")
    page.set_input_files("input[type=file]:not([capture])", str(large))
    page.wait_for_selector(".tile")
    item = next(iter(state.items.values()))
    assert item["bytes"] == large.stat().st_size and item["name"] == large.name
    parts = [method for method, place, _ in state.asked if place == "/v1/uploads/upl-0001"]
    assert parts == ["PATCH", "HEAD", "PATCH", "PATCH", "PATCH"]

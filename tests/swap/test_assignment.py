"""People who do not exist, on the networks that ship."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.consent import load_context
from facechange.core import ConsentError, OutputError, PictureError
from facechange.provenance import read_statement
from facechange.runtime import Graph, load_graph
from facechange.swap import PersonaAssignment, Swapper, assign_sources, change_photograph, personas, request_change
from facechange.swap.personas import LEAST_ALIKE_SHARE, PORTRAIT, draw_persona, new_persona, read_persona, write_persona

BASIS = "People are made unrecognisable."


@pytest.fixture(scope="module")
def swapper() -> Swapper:
    return facechange.load("facechange-256", threads=1)


@pytest.fixture(scope="module")
def sampler() -> Graph:
    return load_graph("personas", 1)


def test_a_persona_is_nobody_known_and_is_decided_by_its_seed(sampler: Graph) -> None:
    persona = draw_persona(sampler, 3)
    assert persona.shape == (512,)
    assert np.linalg.norm(persona) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(persona, draw_persona(sampler, 3))
    assert draw_persona(sampler, 4) @ persona < 0.8
    drawn = sampler.run({"noise": np.random.default_rng(9).standard_normal((4096, 128), np.float32)})["identity"]
    largest = np.quantile(drawn @ persona, 3 * LEAST_ALIKE_SHARE)
    stands_in = [draw_persona(sampler, seed, original=persona) for seed in range(10)]
    assert max(other @ persona for other in stands_in) <= largest
    assert draw_persona(sampler, 1, persona, stands_in) @ persona <= largest
    plain, apart = draw_persona(sampler, 5, persona), draw_persona(sampler, 5, persona, stands_in)
    assert max(apart @ other for other in stands_in) < max(plain @ other for other in stands_in)


def test_no_persona_is_nearer_to_a_training_face_than_different_people_are(
    sampler: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).standard_normal((256, 128), np.float32)
    drawn = sampler.run({"noise": noise})
    allowed = sampler.card.metrics["cosine_different_faces_p99"]["mean"]
    assert 0.1 < np.mean(drawn["nearest"] <= allowed) < 0.9  # so that the rule says something, and can be kept
    too_near = drawn["identity"][drawn["nearest"] > allowed]
    monkeypatch.setattr(personas, "DRAWS", 256)
    kept = [draw_persona(sampler, 0), draw_persona(sampler, 0, others=drawn["identity"][:9])]  # of the very same noise
    assert max(float((too_near @ persona).max()) for persona in kept) < 0.9999


def test_one_person_becomes_one_persona_and_two_people_two(swapper: Swapper) -> None:
    source = Path(__file__).parents[2] / "examples" / "source.jpg"
    one, two = swapper.identify(source), swapper.identify(PORTRAIT)
    assignment = PersonaAssignment(seed=5)
    first, second = assignment.identity_for(one), assignment.identity_for(two)
    assert first @ second < swapper.least_cosine
    assert max(first @ one, second @ two) < 0.5  # nearly all draws are more alike
    mirrored = swapper.identify(np.ascontiguousarray(np.asarray(Image.open(source))[:, ::-1]))
    np.testing.assert_array_equal(assignment.identity_for(mirrored), first)
    resumed = PersonaAssignment(seed=5)
    resumed.restore(assignment.state())
    np.testing.assert_array_equal(resumed.identity_for(two), second)
    assert PersonaAssignment(seed=6).identity_for(one) @ first < 0.9


def test_nobody_changes_persona_because_somebody_more_alike_comes_along(sampler: Graph) -> None:
    for seed in range(6):
        random = np.random.default_rng(seed)
        first, aside = np.linalg.qr(random.standard_normal((512, 2)))[0].T
        newcomer = 0.6 * first + 0.8 * aside  # somebody else
        between = 0.4 * first + 0.6 * newcomer  # like both, and more like the newcomer
        first, newcomer, between = (np.float32(each / np.linalg.norm(each)) for each in (first, newcomer, between))
        assignment = PersonaAssignment(seed, sampler)
        assignment.identity_for(first)
        persona = assignment.identity_for(between)
        assignment.identity_for(newcomer)
        np.testing.assert_array_equal(assignment.identity_for(between), persona)


def test_an_anonymised_face_is_no_longer_its_owner_s(swapper: Swapper, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    grant = request_change(load_context(), [], PORTRAIT, output, BASIS, persona=True)
    published = change_photograph(swapper, PersonaAssignment(1), PORTRAIT, output, grant=grant)
    assert published.faces == 1
    (face,) = swapper.detect(output)
    (before,) = swapper.detect(PORTRAIT)
    assert np.linalg.norm(face.points - before.points, axis=1).max() < 0.06 * before.size_px  # pose and place stayed
    assert swapper.identify(PORTRAIT) @ swapper.identify(output) < swapper.least_cosine
    statement = read_statement(output)
    assert statement["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert BASIS in statement["consent"]


def test_a_kept_persona_gives_its_identity_to_any_picture(swapper: Swapper, tmp_path: Path) -> None:
    kept = new_persona("Ann", 8)
    write_persona(kept, tmp_path / "ann.persona")
    read = read_persona(tmp_path / "ann.persona")
    assert (read.name, read.seed, read.sampler) == (kept.name, kept.seed, kept.sampler)
    assert "identity" not in (tmp_path / "ann.persona").read_text()  # or somebody's own could be put there
    assignment = assign_sources(swapper, [tmp_path / "ann.persona"])
    np.testing.assert_array_equal(assignment.everyone, kept.identity)
    changed = swapper.change(PORTRAIT, assignment.everyone)
    before = swapper.identify(PORTRAIT) @ kept.identity
    assert swapper.identify(changed.image) @ kept.identity > before + 0.1
    assert changed.outcomes[0].recognisable
    with pytest.raises(ConsentError):
        # not the target
        request_change(load_context(), [tmp_path / "ann.persona"], PORTRAIT, tmp_path / "out.png", None)


def test_what_is_no_persona_is_refused_in_a_sentence(swapper: Swapper, tmp_path: Path) -> None:
    broken = tmp_path / "broken.persona"
    broken.write_text('{"kind": "something", "name": "x", "seed": 1, "sampler": "0"}')
    with pytest.raises(PictureError, match="not a persona"):
        read_persona(broken)
    broken.write_text('{"kind": "facechange persona", "name": "x", "seed": 1, "sampler": "0"}')
    with pytest.raises(PictureError, match="another release"):
        read_persona(broken)
    with pytest.raises(PictureError, match="no persona"):
        read_persona(tmp_path / "missing.persona")
    with pytest.raises(PictureError, match="not one person"):
        assign_sources(swapper, [broken, PORTRAIT])
    with pytest.raises(OutputError, match=r"\.persona"):
        write_persona(new_persona("x", 1), tmp_path / "x.json")

"""The sampler of people who do not exist: what it learns, and that its graph says the same."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from facechange.core import TrainingError
from facechange.models.export import export_graph
from facechange.models.personas import AXES, PersonaSampler


def draw_identities(count: int) -> torch.Tensor:
    """Identities [count, 512] that vary most along a few directions, as faces do."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.linspace(1.0, 0.02, 512) ** 2
    return functional.normalize(torch.randn(count, 512, generator=generator) * spread + 0.1, dim=1)


def test_personas_are_as_training_identities_are_and_know_the_nearest() -> None:
    identities = draw_identities(600)
    sampler = PersonaSampler(identities)
    noise = torch.randn(2000, AXES, generator=torch.Generator().manual_seed(1))
    personas, nearest = sampler(noise)
    torch.testing.assert_close(personas.norm(dim=1), torch.ones(2000))
    torch.testing.assert_close(nearest, (personas @ identities.T).amax(1), atol=1e-4, rtol=0)
    assert functional.cosine_similarity(personas.mean(0), identities.mean(0), dim=0) > 0.98
    ours, theirs = (functional.normalize(each - each.mean(0), dim=1) for each in (personas[:600], identities))
    strongest = torch.linalg.svd(theirs).Vh[:8]
    assert ((ours @ strongest.T) ** 2).sum(1).mean() == pytest.approx(
        ((theirs @ strongest.T) ** 2).sum(1).mean(), rel=0.25
    )


def test_too_few_faces_are_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        PersonaSampler(draw_identities(2 * AXES - 1))


def test_its_graph_takes_any_number_at_once(tmp_path: Path) -> None:
    import onnxruntime

    sampler = PersonaSampler(draw_identities(300)).eval()
    noise = torch.randn(2, AXES, generator=torch.Generator().manual_seed(0))
    axes = {"noise": {0: "personas"}, "identity": {0: "personas"}, "nearest": {0: "personas"}}
    export_graph(sampler, tmp_path / "personas.onnx", {"noise": noise}, axes, half=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "personas.onnx"))
    more = torch.randn(5, AXES, generator=torch.Generator().manual_seed(2))
    identity, nearest = session.run(None, {"noise": more.numpy()})
    expected = sampler(more)
    torch.testing.assert_close(torch.from_numpy(identity), expected[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.from_numpy(nearest), expected[1], atol=1e-5, rtol=0)

import torch

from tinydigits.train.augment import POINTS, smooth


def test_a_field_passes_through_its_points_and_stays_within_their_range() -> None:
    values = torch.rand(3, POINTS * POINTS, generator=torch.Generator().manual_seed(0))
    side = 9 * (POINTS - 1) + 1  # the points fall on pixels
    fields = smooth(values, side, side)
    torch.testing.assert_close(fields[:, ::9, ::9], values.view(3, POINTS, POINTS))
    assert (fields.amax(dim=(1, 2)) <= values.amax(dim=1) + 1e-6).all()
    assert (fields.amin(dim=(1, 2)) >= values.amin(dim=1) - 1e-6).all()


def test_even_points_give_an_even_field() -> None:
    torch.testing.assert_close(
        smooth(torch.full((1, POINTS**2), 0.3), 28, 20)[0, 5], torch.full((20,), 0.3)
    )


def test_between_two_points_lies_a_smoothstep() -> None:
    values = torch.zeros(POINTS, POINTS)
    values[:, 1] = 1
    t = torch.linspace(0, 1, 11)
    row = smooth(values.view(1, -1), 1, 10 * (POINTS - 1) + 1)[0, 0]
    torch.testing.assert_close(row[:11], 3 * t**2 - 2 * t**3, rtol=1e-4, atol=1e-5)

"""Masks follow their schedule while a model trains, by any metric or by elimination; skipped weights stay out of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError, NotCalibratedError, NotWrappedError, OptionError
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.granularity import group_sums
from keras_approx.skipping.masks import fraction_masks, threshold_mask
from keras_approx.skipping.schedules import Constant, Polynomial, Ramp
from keras_approx.skipping.selection import LayerSetting
from keras_approx.skipping.significance import OperandStatistics, significance
from keras_approx.training.callbacks import EliminateInRounds, SkipSummaries, UpdateSkipMasks
from keras_approx.training.options import Rank
from tests.keras_approx import models
from tests.keras_approx.training.fitting import Watch, compiled, fit


def test_masks_follow_the_schedule() -> None:
    model, watch = compiled(), Watch()
    schedule = Polynomial(1.0, 0.25, end_step=5)
    history = fit(model, UpdateSkipMasks(schedule, frequency=2), watch, epochs=2)
    # Updates at 0, 2, 4 and at the end, 5; then none.
    expected = [schedule(step) for step in (0, 0, 2, 2, 4, 5, 5, 5)]
    np.testing.assert_allclose(watch.kept, expected, atol=0.02)
    assert history["kept"] == [watch.kept[3], watch.kept[7]]


def test_masks_are_those_of_significance_and_in_whole_pairs() -> None:
    model = compiled()
    values = {
        layer.name: significance("variance", layer.kernel.numpy(), layer.get_statistics())
        for layer in skip_wrappers(model)
    }
    fit(model, UpdateSkipMasks(0.5, significance="variance"))
    masks = keras_approx.get_masks(model)
    expected = fraction_masks(values, mask_positions(model), 0.5)
    assert all(np.array_equal(masks[name], expected[name]) for name in masks)
    whole = group_sums(np.ones_like(masks["second"], int), "pair")
    pairs = group_sums(masks["second"].astype(int), "pair")
    assert np.all((pairs == 0) | (pairs == whole))


def test_threshold_and_operands() -> None:
    model = compiled()
    values = {
        layer.name: significance("energy", layer.kernel.numpy(), layer.get_statistics())
        for layer in skip_wrappers(model)
    }
    fit(model, UpdateSkipMasks(Constant(0.01), select="threshold", granularity="operand"))
    for name, mask in keras_approx.get_masks(model).items():
        assert np.array_equal(mask, threshold_mask(values[name], 0.01, "operand"))
        assert 0 < mask.mean() < 1


def test_exempt_layers_keep_all() -> None:
    model = compiled()
    fit(model, UpdateSkipMasks(0.3, exempt=("fir*",), scope="layer"))
    kept = {name: mask.mean() for name, mask in keras_approx.get_masks(model).items()}
    assert kept["first"] == 1
    assert kept["second"] == pytest.approx(0.3, abs=0.02)
    assert kept["third"] == pytest.approx(0.3, abs=0.05)


def test_a_ramp_in_shares_of_the_training() -> None:
    model, watch = compiled(), Watch()
    ramp = Ramp(1.0, 0.4, begin=0.25, end=0.75)
    update = UpdateSkipMasks(ramp, layers={"third": LayerSetting(Ramp(1.0, 0.5, end=1 / 8))})
    fit(model, update, watch, epochs=2)
    assert update.frequency == 1
    schedule = Polynomial(1.0, 0.4, begin_step=2, end_step=6)
    first = keras_approx.get_masks(model)
    assert first["third"].mean() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(watch.kept, [schedule(step) for step in range(8)], atol=0.04)
    # Continued with more epochs, it is the same schedule of a longer training.
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = models.inputs(model, 32), models.labels(32)
    model.optimizer.iterations.assign(4)
    model.fit(x, y, batch_size=8, initial_epoch=1, epochs=2, callbacks=[update], verbose=0)
    assert update.end_step == 6
    unknown = tf.data.Dataset.from_generator(lambda: iter([(x, y)]), output_types=(tf.float32, tf.int64))
    with pytest.raises(OptionError, match="whose length is not known: give steps_per_epoch="):
        model.fit(unknown, callbacks=[UpdateSkipMasks(ramp)], verbose=0)


def test_updates_follow_the_ramp() -> None:
    model, watch = compiled(), Watch()
    fit(model, UpdateSkipMasks(Polynomial(1.0, 0.3, end_step=40)), watch, steps_per_epoch=44)
    assert len(set(watch.kept)) >= 10
    with pytest.warns(UserWarning, match="no update of masks falls between steps 0 and 3"):
        fit(compiled(), UpdateSkipMasks(Polynomial(1.0, 0.3, end_step=3), frequency=50))


def test_training_that_ends_before_its_schedule() -> None:
    with pytest.warns(UserWarning) as said:
        fit(compiled(), UpdateSkipMasks(Polynomial(1.0, 0.25, end_step=400)))
    texts = [str(warning.message) for warning in said]
    assert any("due before step 400, but this training ends after 4 steps" in text for text in texts)
    assert any(
        re.search(r"ended after 4 steps, .* keeps 100\.0% of the products, not 25\.0%", text)
        for text in texts
    )
    with pytest.warns(
        UserWarning, match="ended after 4 steps, but the last move of masks was due before step 9"
    ):
        model = compiled()
        fit(model, EliminateInRounds(0.5, models.inputs(model), steps=[0, 9]))


def test_budget_and_layers_of_their_own() -> None:
    model, asked = compiled(), []

    def prices(given: Any) -> dict[str, int]:
        asked.append(given)
        return mask_positions(given)

    rows = {row.name: row for row in keras_approx.summary(model, print_fn=None).rows}
    everything = sum(mask_positions(model)[name] * (rows[name].pairs or 0) for name in rows)
    update = UpdateSkipMasks(
        Polynomial(everything, everything / 4, end_step=3),
        select="budget",
        prices=prices,
        frequency=1,
        layers={"third": keras_approx.LayerSetting(least=0.5)},
    )
    fit(model, update)
    assert len(asked) == 1
    assert asked[0] is model
    rows = {row.name: row for row in keras_approx.summary(model, print_fn=None).rows}
    spent = sum(mask_positions(model)[name] * (rows[name].pairs_kept or 0) for name in rows)
    assert everything / 4 - 36 < spent <= everything / 4
    assert keras_approx.get_masks(model)["third"].mean() >= 0.5


def test_skipped_weights_do_not_train() -> None:
    model = compiled()
    masks = models.random_masks(model)
    keras_approx.set_masks(model, masks)
    before = {layer.name: layer.kernel.numpy() for layer in skip_wrappers(model)}
    fit(model)
    for layer in skip_wrappers(model):
        changed = layer.kernel.numpy() != before[layer.name]
        assert not changed[~masks[layer.name]].any()
        assert changed[masks[layer.name]].mean() > 0.5


def test_straight_through_trains_skipped_weights_without_using_them() -> None:
    model = compiled(skipped_gradient="straight_through")
    masks = models.random_masks(model)
    keras_approx.set_masks(model, masks)
    x = models.inputs(model)
    stripped = keras_approx.strip(model)
    before = skip_wrappers(model)[1].kernel.numpy()
    fit(model)
    changed = skip_wrappers(model)[1].kernel.numpy() != before
    assert changed[~masks["second"]].mean() > 0.5
    skip_wrappers(model)[1].kernel.assign(np.where(masks["second"], before, 99))
    skip_wrappers(model)[0].kernel.assign(stripped.get_layer("first").kernel)
    assert not np.isnan(model.predict(x, verbose=0)).any()
    assert np.abs(keras_approx.strip(model).get_layer("second").kernel.numpy()).max() < 99


def test_compensation_keeps_the_mean_of_the_output() -> None:
    x = models.inputs(models.small())
    outputs = {}
    for compensate in (False, True):
        wrapped = keras_approx.wrap(models.small(), compensate=compensate)
        keras_approx.calibrate(wrapped, x, verbose=False)
        exact = keras.Model(wrapped.inputs, wrapped.get_layer("second").output)
        mean = exact(x).numpy().mean(axis=(0, 1, 2))
        masks = keras_approx.get_masks(wrapped)
        masks["second"] = models.random_masks(wrapped)["second"]
        keras_approx.set_masks(wrapped, masks)
        outputs[compensate] = np.abs(exact(x).numpy().mean(axis=(0, 1, 2)) - mean).max()
    # What is left comes from quantizing the masked weights again.
    assert outputs[True] < outputs[False] / 4


def test_compensation_follows_statistics() -> None:
    wrapped = keras_approx.wrap(models.small(), compensate=True)
    layer = wrapped.get_layer("second")
    for scale in (1, 3):
        keras_approx.calibrate(wrapped, scale * models.inputs(wrapped), verbose=False)
        if scale == 1:
            layer.set_mask(models.random_masks(wrapped)["second"])
        skipped = layer.kernel.numpy() * ~layer.get_mask() * layer.get_statistics().mean[..., np.newaxis]
        np.testing.assert_allclose(layer.compensation.numpy(), skipped.sum(axis=(0, 1, 2)), rtol=1e-5)


def test_calibration_data_of_the_callback() -> None:
    wrapped = keras_approx.wrap(models.small())
    wrapped.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    data = models.inputs(wrapped)
    fit(wrapped, UpdateSkipMasks(Constant(0.5, end_step=2), frequency=1, data=data))
    first = wrapped.get_layer("second").get_statistics().mean
    keras_approx.calibrate(wrapped, data, verbose=False)
    assert wrapped.layers[1].get_range() is not None
    # Measured during training, not after.
    assert not np.array_equal(first, wrapped.get_layer("second").get_statistics().mean)


def test_taylor_and_functions_rank_while_training() -> None:
    model = compiled()
    x, y = models.inputs(model), models.labels()
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    loss = "sparse_categorical_crossentropy"
    schedule = Polynomial(1.0, 0.5, end_step=3)
    with pytest.raises(NotCalibratedError, match="loss="):
        fit(model, UpdateSkipMasks(schedule, significance="taylor", frequency=2))
    fit(model, UpdateSkipMasks(schedule, significance="taylor", frequency=2, data=data, loss=loss))
    masks = keras_approx.get_masks(model)

    def taylor(kernel: np.ndarray, statistics: OperandStatistics) -> np.ndarray:
        assert statistics.gradient is not None
        return np.abs(kernel) * statistics.gradient

    update = UpdateSkipMasks(0.5, significance=taylor)
    update.set_model(model)
    update.update(0)
    # Significance has the same weights and statistics still: those of the last update but one batch.
    agree = [(masks[name] == mask).mean() for name, mask in keras_approx.get_masks(model).items()]
    assert min(agree) > 0.7


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"select": "cycles"}, "select must be one of fraction, threshold, budget"),
        ({"select": "budget"}, "a budget needs them"),
        ({"prices": {"first": 1}}, "prices are for a budget"),
        ({"scope": "all"}, "scope must be one of global, layer"),
        ({"granularity": "triple"}, "granularity must be one of operand, pair, block"),
        ({"significance": "entropy"}, "significance must be one of"),
        ({"frequency": 0}, "frequency must be a whole number of at least 1, got 0"),
        ({"frequency": 2.5}, "frequency must be a whole number"),
        ({"loss": "mse"}, "give data= too"),
        ({"exempt": "conv"}, "sequence of layer names"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        UpdateSkipMasks(0.5, **options)


def test_data_are_read_more_than_once() -> None:
    for make in (lambda data: UpdateSkipMasks(0.5, data=data), lambda data: Rank(data=data)):
        with pytest.raises(CalibrationError, match="a generator is used up after the first: give an array"):
            make(batch for batch in [np.zeros((2, 8, 8, 3), np.float32)])
        make([np.zeros((2, 8, 8, 3), np.float32)])


def test_models_that_cannot_be_masked() -> None:
    plain = models.small()
    plain.compile("sgd", "sparse_categorical_crossentropy")
    for callback in (UpdateSkipMasks(0.5), SkipSummaries()):
        with pytest.raises(NotWrappedError, match=r"keras_approx\.wrap"):
            fit(plain, callback)
    wrapped = keras_approx.wrap(plain)
    wrapped.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(NotCalibratedError, match=r"keras_approx\.calibrate"):
        fit(wrapped, UpdateSkipMasks(0.5))
    with pytest.raises(OptionError, match="matches no layer; layers that skip: first, second, third"):
        fit(compiled(), UpdateSkipMasks(0.5, exempt=("conv*",)))
    with pytest.raises(OptionError, match="between 0 and 1"):
        fit(compiled(), UpdateSkipMasks(1.5))


def test_schedule_that_is_over_before_it_begins() -> None:
    model = compiled()
    fit(model)
    with pytest.raises(OptionError, match="schedule ended at step 2, but the optimizer is at step 4"):
        fit(model, UpdateSkipMasks(Polynomial(1.0, 0.5, end_step=2)))

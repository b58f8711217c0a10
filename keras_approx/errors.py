"""Errors that keras_approx raises about what it was given."""


class KerasApproxError(Exception):
    """Base of every error of this package."""


class UnsupportedModelError(KerasApproxError, ValueError):
    """The model as a whole cannot be used: it is subclassed, has dynamic shapes, nothing to skip, and so on."""


class UnsupportedLayerError(KerasApproxError, ValueError):
    """One layer, or one of its settings, cannot be wrapped."""


class OptionError(KerasApproxError, ValueError):
    """An option has a value that is not among those it can take."""


class CalibrationError(KerasApproxError, ValueError):
    """Calibration data is empty, of the wrong shape, or not finite."""


class NotWrappedError(KerasApproxError, ValueError):
    """A wrapped model was expected."""


class NotCalibratedError(KerasApproxError, RuntimeError):
    """Statistics or activation ranges are needed before they were measured."""


class MaskError(KerasApproxError, ValueError):
    """A mask does not fit the layer, or a mask file cannot be read."""


class MissingPackageError(KerasApproxError, ImportError):
    """A package that only an extra brings is not installed."""


class StoreError(KerasApproxError, ValueError):
    """A file is not one of an exploration, was damaged, or belongs to another problem."""


class CheckpointError(KerasApproxError, ValueError):
    """A folder cannot hold the checkpoints of a training, holds those of another, or was damaged."""


class ExplorationError(KerasApproxError, RuntimeError):
    """An exploration cannot continue; the designs that it evaluated are kept."""

from .adapted import AdaptedDenoiser
from .autoencoder import DenoisingAutoencoder
from .intervals import ConformalDenoiser
from .noise2void import Noise2VoidDenoiser
from .outlier import ReconstructionOutlierDetector
from .pix2pix import Pix2PixDenoiser
from .pretrained import PretrainedDenoiser
from .recorrupted import RecorruptedDenoiser
from .self_ensemble import SelfEnsembleDenoiser
from .variance_stabilized import VarianceStabilized

__all__ = [
    "AdaptedDenoiser",
    "ConformalDenoiser",
    "DenoisingAutoencoder",
    "Noise2VoidDenoiser",
    "Pix2PixDenoiser",
    "PretrainedDenoiser",
    "ReconstructionOutlierDetector",
    "RecorruptedDenoiser",
    "SelfEnsembleDenoiser",
    "VarianceStabilized",
]

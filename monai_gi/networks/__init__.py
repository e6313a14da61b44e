"""Networks that MONAI lacks, or whose answers its trainers can not take: (B, K, H, W) in, logits (B, C, H, W) out."""

from monai_gi.networks.architectures import ARCHITECTURES
from monai_gi.networks.context_unet import ContextUNet
from monai_gi.networks.huggingface import HuggingFaceSegmenter
from monai_gi.networks.init_weights import load_init_weights
from monai_gi.networks.unetpp import UNetPlusPlus

__all__ = ["ARCHITECTURES", "ContextUNet", "HuggingFaceSegmenter", "UNetPlusPlus", "load_init_weights"]

"""Networks that MONAI lacks, or whose answers its trainers can not take: (B, K, H, W) in, logits (B, C, H, W) out."""

from monai_gi.networks.huggingface import ARCHITECTURES, HuggingFaceSegmenter
from monai_gi.networks.init_weights import load_init_weights
from monai_gi.networks.unetpp import UNetPlusPlus

__all__ = ["ARCHITECTURES", "HuggingFaceSegmenter", "UNetPlusPlus", "load_init_weights"]

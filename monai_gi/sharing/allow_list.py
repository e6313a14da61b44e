"""What a shared bundle's configs may execute: imports, functions, members and classes, each harmless by itself.

Convention: harmless means that no argument a config can write makes it run code, start a program, fetch code, or write
anything but results where the config says. What is absent is refused; nothing here is a pattern over a whole package,
because MONAI and PyTorch also hold functions that run code (`monai.bundle.run`, `torch.hub.load`).
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Importing only binds the name; `expressions.py` decides what is done with it. monai.bundle, monai.apps,
# monai.auto3dseg, torch.hub and subprocess are absent on purpose.
IMPORTS = _words(
    """
    glob math os os.path pathlib warnings numpy einops nibabel torch torch.nn torch.nn.functional torch.utils.data
    torch.optim torch.distributed ignite ignite.distributed ignite.handlers transformers monai monai.data
    monai.transforms monai.networks monai.networks.nets monai.networks.layers monai.inferers monai.losses
    monai.metrics monai.handlers monai.engines monai.utils monai_gi monai_gi.bundle monai_gi.labels
    monai_gi.augmentation monai_gi.transforms monai_gi.inferers monai_gi.networks monai_gi.optimizers
    monai_gi.handlers monai_gi.readers monai_gi.datasets monai_gi.datasets.datalist monai_gi.datasets.slice_store
    monai_gi.datasets.frame_lists monai_gi.datasets.uw_madison monai_gi.datasets.slide_classes
    monai_gi.datasets.slide_lists monai_gi.losses monai_gi.slide_contouring monai_gi.slide_judging monai_gi.streaming
    monai_gi.report
    """
)

BUILTINS = _words(
    """
    abs all any bool dict enumerate filter float frozenset int isinstance len list map max min print range reversed
    round set slice sorted str sum tuple zip
    """
)

# The names that monai.bundle binds before any import of the config.
ALWAYS_BOUND = {"monai": "monai", "torch": "torch", "np": "numpy", "numpy": "numpy"}

FUNCTIONS = _words(
    """
    glob.glob math.ceil math.copysign math.floor math.log math.prod math.sqrt
    os.path.abspath os.path.basename os.path.dirname os.path.exists os.path.expanduser os.path.isdir os.path.isfile
    os.path.join os.path.splitext os.cpu_count os.environ.get pathlib.Path warnings.filterwarnings
    numpy.arange numpy.array numpy.asarray numpy.float32 numpy.int64 numpy.uint8
    torch.abs torch.amax torch.arange torch.argmax torch.cat torch.clamp torch.device torch.flip torch.load torch.max
    torch.mean torch.min torch.nn.functional.interpolate torch.ones torch.sigmoid torch.softmax torch.stack torch.sum
    torch.tensor torch.where torch.zeros torch.jit.load
    torch.cuda.device_count torch.cuda.is_available torch.cuda.set_device
    torch.distributed.destroy_process_group torch.distributed.get_rank torch.distributed.get_world_size
    torch.distributed.is_initialized ignite.distributed.sync
    monai.transforms.RemoveSmallObjects monai.handlers.from_engine monai.handlers.stopping_fn_from_metric
    monai.handlers.stopping_fn_from_loss monai.data.decollate_batch monai.data.list_data_collate
    monai.data.utils.list_data_collate monai.utils.set_determinism
    monai_gi.bundle.check_overrides monai_gi.bundle.default_device monai_gi.bundle.enough_for_processes
    monai_gi.bundle.exit_plainly monai_gi.bundle.is_distributed monai_gi.bundle.join_processes
    monai_gi.bundle.leave_processes monai_gi.bundle.overrides monai_gi.bundle.parallel monai_gi.bundle.require_file
    monai_gi.datasets.datalist.load_datalist monai_gi.datasets.datalist.scan_items
    monai_gi.datasets.datalist.training_items monai_gi.datasets.datalist.validation_items
    monai_gi.datasets.slice_store.collate monai_gi.datasets.uw_madison.index_scans
    monai_gi.handlers.index_frames monai_gi.handlers.unfinished monai_gi.networks.load_init_weights
    monai_gi.datasets.frame_lists.load_frames monai_gi.datasets.slide_classes.matching_colors
    monai_gi.datasets.slide_lists.color_table_of monai_gi.datasets.slide_lists.load_slides
    monai_gi.slide_contouring.predict_slides monai_gi.slide_judging.judge_slides
    monai_gi.report.report_evaluation
    """
)

# Objects that are no functions.
VALUES = _words(
    """
    torch.bool torch.float16 torch.bfloat16 torch.float32 torch.float64 torch.int16 torch.int32 torch.int64
    torch.long torch.uint8 torch.Tensor torch.backends.cudnn.benchmark math.inf math.pi monai_gi.labels.ORGAN_NAMES
    """
)

# Calling what these return is harmless too.
FACTORIES = frozenset({"monai.transforms.RemoveSmallObjects"})

# Members of any object that a config can hold. They are also asked of modules, which a config can hold by a
# reference to an import, so none may name a dangerous function of a module in IMPORTS (tests look them all up).
MEMBERS = _words(
    """
    amax amin argmax astype attach basename batch best_metric bool clamp class_counts cpu data dataset detach device dim
    dtype ema_model endswith epoch eval flatten float get half index int is_initialized items iteration join keys
    last_hidden_state load_state_dict logits long lower max mean metrics min module name ndim neck network numel output
    parameters parent permute pixdim register_forward_hook register_forward_pre_hook reshape run sampler set_epoch
    shape sigmoid size softmax split squeeze startswith state state_dict stem strip suffix sum to train transform
    transforms transpose type unsqueeze upper values view
    """
)

# Environment variables that a config may read; others can hold passwords.
ENVIRONMENT = frozenset({"WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "HOME", "TMPDIR"})

_MONAI_CLASSES = {
    # reads the files that the data list names; the reader itself is a guarded argument, see GUARDED
    "transforms": """
        Activations Activationsd AsDiscrete AsDiscreted CastToType CastToTyped CenterSpatialCropd Compose ConcatItemsd
        CopyItemsd CropForegroundd DeleteItemsd DivisiblePadd EnsureChannelFirst EnsureChannelFirstd EnsureType
        EnsureTyped FillHolesd Flipd Identityd Invertd KeepLargestConnectedComponentd Lambda Lambdad LoadImage
        LoadImaged MapLabelValued MeanEnsembled NormalizeIntensity NormalizeIntensityd Orientation Orientationd
        RandAdjustContrastd RandAffined RandBiasFieldd RandCropByLabelClassesd RandCropByPosNegLabeld RandFlipd
        RandGaussianNoised RandGaussianSmoothd RandRotate90d RandRotated RandScaleIntensityd RandShiftIntensityd
        RandSpatialCropd RandZoomd RemoveSmallObjects RemoveSmallObjectsd Resized ResizeWithPadOrCropd Rotate90d
        ScaleIntensity ScaleIntensityd ScaleIntensityRange ScaleIntensityRanged ScaleIntensityRangePercentiles
        ScaleIntensityRangePercentilesd SelectItemsd Spacing Spacingd SpatialCropd SpatialPadd SplitDimd SqueezeDimd
        ToDeviced ToTensord Transposed VoteEnsembled
        SaveImage SaveImaged
        """,  # SaveImage writes results into output_dir; the writer is a guarded argument
    "data": """
        CacheDataset DataLoader Dataset DistributedSampler ITKReader NibabelReader NibabelWriter PILReader PILWriter
        SmartCacheDataset ThreadDataLoader
        """,
    "engines": "SupervisedEvaluator SupervisedTrainer",
    "handlers": """
        ConfusionMatrix EarlyStopHandler HausdorffDistance LrScheduleHandler MeanDice MeanIoUHandler
        MetricLogger PostProcessing StatsHandler SurfaceDistance ValidationHandler
        CheckpointLoader CheckpointSaver MetricsSaver TensorBoardImageHandler TensorBoardStatsHandler
        """,  # CheckpointLoader reads with weights_only; the savers write where the config says
    "inferers": "SimpleInferer SliceInferer SlidingWindowInferer SlidingWindowInfererAdapt",
    "losses": """
        DeepSupervisionLoss DiceCELoss DiceFocalLoss DiceLoss FocalLoss GeneralizedDiceFocalLoss GeneralizedDiceLoss
        TverskyLoss
        """,
    "metrics": """
        ConfusionMatrixMetric DiceMetric HausdorffDistanceMetric MeanIoU SurfaceDiceMetric SurfaceDistanceMetric
        """,
    "networks": """
        AttentionUnet BasicUNet BasicUnet BasicUNetPlusPlus BasicUnetPlusPlus DynUNet SegResNet SegResNetDS SwinUNETR
        UNETR UNet Unet VNet
        """,
    "optimizers": "WarmupCosineSchedule",
}
SHORT_NAMES = {name: package for package, names in _MONAI_CLASSES.items() for name in names.split()}

_FULL_NAMES = _words(
    """
    torch.device torch.nn.BCEWithLogitsLoss torch.nn.BatchNorm2d torch.nn.Conv2d torch.nn.ConvTranspose2d
    torch.nn.CrossEntropyLoss torch.nn.Dropout torch.nn.GELU torch.nn.GroupNorm torch.nn.Identity
    torch.nn.InstanceNorm2d torch.nn.LeakyReLU torch.nn.Linear torch.nn.ReLU torch.nn.Sequential torch.nn.Sigmoid
    torch.nn.Softmax torch.nn.Upsample
    torch.optim.Adam torch.optim.AdamW torch.optim.Adamax torch.optim.NAdam torch.optim.RMSprop torch.optim.SGD
    torch.optim.lr_scheduler.CosineAnnealingLR torch.optim.lr_scheduler.ExponentialLR
    torch.optim.lr_scheduler.LambdaLR torch.optim.lr_scheduler.MultiStepLR torch.optim.lr_scheduler.OneCycleLR
    torch.optim.lr_scheduler.PolynomialLR torch.optim.lr_scheduler.ReduceLROnPlateau torch.optim.lr_scheduler.StepLR
    torch.utils.data.DataLoader torch.utils.data.DistributedSampler torch.utils.data.distributed.DistributedSampler
    torch.utils.tensorboard.SummaryWriter torch.nn.parallel.DistributedDataParallel
    ignite.handlers.EMAHandler ignite.handlers.EarlyStopping ignite.handlers.TerminateOnNan
    transformers.SegformerConfig transformers.SegformerModel transformers.SegformerForSemanticSegmentation
    transformers.UperNetConfig transformers.UperNetForSemanticSegmentation
    transformers.DPTConfig transformers.DPTModel transformers.DPTForSemanticSegmentation
    transformers.BeitConfig transformers.BeitModel transformers.BeitForSemanticSegmentation
    transformers.SwinConfig transformers.ConvNextConfig
    monai_gi.augmentation.BatchAugmentation monai_gi.datasets.frame_dataset.FrameDataset
    monai_gi.datasets.scan_dataset.ScanDataset
    monai_gi.plain_lists.PlainLists monai_gi.datasets.slice_store.SliceStoreDataset
    monai_gi.handlers.AtomicCheckpointSaver monai_gi.handlers.CostHandler monai_gi.handlers.CurvesHandler
    monai_gi.handlers.EpochSeed monai_gi.handlers.RunClock monai_gi.handlers.TimeBudget
    monai_gi.handlers.FiguresHandler monai_gi.handlers.FrameImagesHandler monai_gi.handlers.FrameWriter
    monai_gi.handlers.key_overlap
    monai_gi.handlers.ImagesHandler monai_gi.handlers.JudgeHandler monai_gi.handlers.OrganOverlap
    monai_gi.handlers.ProgressHandler monai_gi.handlers.ResumeCheckpoint monai_gi.handlers.ScanWriter
    monai_gi.handlers.SettingsHandler monai_gi.handlers.SliceLoss monai_gi.inferers.AutocastInferer
    monai_gi.inferers.FrameInferer monai_gi.inferers.StackedSliceInferer monai_gi.networks.HuggingFaceSegmenter
    monai_gi.networks.UNetPlusPlus monai_gi.optimizers.lr_scheduler monai_gi.optimizers.optimizer
    monai_gi.readers.PictureReader monai_gi.readers.SliceReader
    monai_gi.transforms.ApplyOrganRulesd monai_gi.augmentation.SlideAugmentation
    monai_gi.datasets.slide_patches.SlideGrid monai_gi.datasets.slide_patches.SlidePatches
    monai_gi.handlers.ClassOverlap monai_gi.handlers.PatchImagesHandler monai_gi.handlers.SlideFiguresHandler
    monai_gi.losses.segmentation_loss
    monai_gi.networks.ContextUNet monai_gi.streaming.SlideSettings
    monai_gi.transforms.DecodeRLEd monai_gi.transforms.ScaleIntensityByVolumed
    """
)
_MODULE = re.compile(r"monai\.([a-z]\w*)((?:\.[a-z]\w*)*)\.(\w+)")

# Arguments that their class looks up as code, by name; a text outside the list is refused whatever class it is for.
_READERS = _words(
    """
    ITKReader NibabelReader NrrdReader PILReader PydicomReader itkreader nibabelreader nrrdreader pilreader
    pydicomreader monai_gi.readers.PictureReader monai_gi.readers.SliceReader
    """
)  # no NumpyReader: it unpickles
GUARDED: dict[str, frozenset[object]] = {
    "reader": _READERS,
    "writer": frozenset({"ITKWriter", "NibabelWriter", "PILWriter"}),
    "merger_cls": frozenset({"AvgMerger"}),
    "weights_only": frozenset({True}),
    "allow_pickle": frozenset({False}),
    "trust_remote_code": frozenset({False}),
    "attn_implementation": frozenset({"eager", "sdpa"}),  # a hub name there fetches code
    "_attn_implementation": frozenset({"eager", "sdpa"}),
    "experts_implementation": frozenset(),
    "auto_map": frozenset(),
    "quantization_config": frozenset(),
    "use_pretrained_backbone": frozenset({False}),
    "use_timm_backbone": frozenset({False}),
    "backbone": frozenset(),  # a name on a hub; backbone_config is plain
    "backbone_kwargs": frozenset(),  # timm unpickles the checkpoint_path there
    "compile": frozenset({False}),
    "compile_kwargs": frozenset(),  # torch.compile starts the compiler that its options name
    "_debug_": frozenset({False}),
    "_mode_": frozenset({"default"}),  # "debug" stops in a debugger, "callable" hands a class on past these checks
}


def is_allowed_class(target: str) -> bool:
    """Whether a config may instantiate this class or call this function.

    Args:
        target: `_target_`: a short name, which MONAI looks up in its own modules, or a full one.

    Returns:
        True where it is on the list.

    >>> is_allowed_class("Compose"), is_allowed_class("monai.transforms.Compose"), is_allowed_class("os.system")
    (True, True, False)
    """
    if target in SHORT_NAMES or target in _FULL_NAMES:
        return True
    match = _MODULE.fullmatch(target)
    return match is not None and SHORT_NAMES.get(match[3]) == match[1]


# Everything that a network's TorchScript calls; the many others of aten and prim are absent, among them the ones that
# read and write files (save, from_file), start threads and processes (rpc_*, fork) or hand out raw memory.
SCRIPT_BUILTINS = _words(
    """
    annotate bool float getattr int isinstance len list max min range sorted str unchecked_cast uninitialized abs
    """
)
SCRIPT_OPERATORS = _words(
    """
    __and__ __contains__ __derive_index __getitem__ __is__ __isnot__ __not__ __or__ __range_length _convolution
    _set_item _upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_lanczos2d_aa _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d abs adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d adaptive_max_pool2d add add_ addmm alpha_dropout amax amin append arange argmax avg_pool2d
    avg_pool3d baddbmm batch_norm bmm broadcast_tensors cat ceil celu chunk clamp clamp_min clone constant_pad_nd
    contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d copy_ cos cumsum detach device
    dict dim div div_ dropout dropout_ einsum elu embedding empty eq erf exp expand expand_as extend fill_ flatten
    flip floor floor_divide floordiv format full full_like gather ge gelu group_norm gt hardsigmoid hardswish
    hardtanh index index_put_ index_select instance_norm is_floating_point items keys layer_norm le leaky_relu
    leaky_relu_ len linalg_norm linalg_vector_norm linear linspace list log log_softmax logical_and logical_not
    logical_or lt masked_fill masked_fill_ matmul max max_pool1d max_pool2d max_pool3d maximum mean meshgrid min
    minimum mish movedim mul mul_ narrow ne neg new_zeros norm numel one_hot ones ones_like pad percentFormat permute
    pixel_shuffle pixel_unshuffle pow prelu prod reciprocal relu relu6 relu_ remainder repeat repeat_interleave
    reshape reshape_as reverse rms_norm roll round rsqrt rsub scalar_tensor scaled_dot_product_attention select selu
    sigmoid sigmoid_ silu silu_ sin size slice softmax softplus split split_with_sizes sqrt square squeeze stack
    std sub sub_ sum t tanh tensor to transpose tril triu true_divide type_as unbind unflatten unsqueeze
    upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d
    upsample_nearest3d upsample_trilinear3d values var var_mean view view_as warn where zeros zeros_like
    """
)
SCRIPT_PRIMITIVES = frozenset(
    {"NumToTensor", "RaiseException", "abs", "data", "device", "dtype", "max", "min", "shape"}
)

# What torch.load(weights_only=True) accepts in a file of weights and that networks use.
PICKLE_GLOBALS = _words(
    """
    collections.OrderedDict torch.Size torch.device torch.Tensor torch.nn.parameter.Parameter
    torch.serialization._get_layout torch._utils._rebuild_tensor_v2 torch._utils._rebuild_parameter
    torch._utils._rebuild_tensor torch._tensor._rebuild_from_type_v2 torch.storage.UntypedStorage
    torch.BFloat16Storage torch.BoolStorage torch.ByteStorage torch.CharStorage torch.DoubleStorage torch.FloatStorage
    torch.HalfStorage torch.IntStorage torch.LongStorage torch.ShortStorage
    torch.bfloat16 torch.bool torch.float16 torch.float32 torch.float64 torch.int16 torch.int32 torch.int64 torch.int8
    torch.uint8 torch.strided _codecs.encode
    """
)
SCRIPT_PICKLE_GLOBALS = PICKLE_GLOBALS | frozenset(
    f"torch.jit._pickle.{name}"
    for name in ("build_boollist", "build_doublelist", "build_intlist", "build_tensorlist", "restore_type_tag")
)

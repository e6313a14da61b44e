#!/usr/bin/env bash
# From nothing to a trained, judged bundle on a drawn data set; `make demo` calls it inside the virtual environment.
set -euo pipefail
cd "$(dirname "$0")"
demo=${1:-demo}
data=$demo/phantom
run=$demo/segformer
bundle=bundles/segformer
export HF_HUB_OFFLINE=1 # the demo starts from random weights: it asks no network for pretrained ones

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
command() {
    printf '$ %s\n' "$*"
    "$@"
}

say "1/4  Drawing abdominal MR slices into $data"
[ -f "$data/train.csv" ] || command monai-gi phantom uw-madison "$data" --cases 5 --days 1 --slices 24

say "2/4  Training (run again, it goes on where it stopped)"
command python -m monai.bundle run training --config_file $bundle/train.json \
    --dataset_dir "$data" --output_dir "$run" --cache_dir "$demo/store" --resume True \
    --init_weights "" --max_epochs 30 --batch_size 8 --roi_size "[160, 160]" --learning_rate 0.001 --val_interval 5

say "3/4  Judging on the cases that the network has not seen"
command python -m monai.bundle run evaluating --config_file $bundle/evaluate.json \
    --dataset_dir "$data" --output_dir "$run" --roi_size "[160, 160]"

say "4/4  Contouring the test scans"
command python -m monai.bundle run inferring --config_file $bundle/inference.json \
    --dataset_dir "$data" --output_dir "$run" --roi_size "[160, 160]"

say "Done. Look at:"
cat <<END
  scores       $run/evaluation/summary.json, scans.csv, slices.csv
  overlays     $run/evaluation/overlays/, $run/inference/overlays/
  TensorBoard  tensorboard --logdir $run
  submission   $run/inference/submission.csv
END

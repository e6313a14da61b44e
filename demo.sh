#!/usr/bin/env bash
# From nothing to a trained, judged bundle on a drawn data set; `make demo` calls it inside the virtual environment.
set -euo pipefail
cd "$(dirname "$0")"
demo=${1:-demo}
data=$demo/phantom
run=$demo/segformer
bundle=bundles/segformer
export HF_HUB_OFFLINE=1 # the demo starts from random weights: it asks no network for pretrained ones

# Bold where somebody looks on; plain into a file, and for those who ask for it (https://no-color.org).
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then title='\n\033[1m%s\033[0m\n'; else title='\n%s\n'; fi
# shellcheck disable=SC2059
say() { printf "$title" "$*"; }
command() {
    printf '$ %s\n' "$*"
    "$@"
}

say "1/5  Drawing abdominal MR slices into $data"
[ -f "$data/train.csv" ] || command monai-gi phantom uw-madison "$data" --cases 10 --days 1 --slices 24

# Small enough for two cores and three minutes: a narrow SegFormer on crops, without the augmentations that want time.
small="{'hidden_sizes': [16, 32, 64, 128], 'num_attention_heads': [1, 2, 4, 8], 'depths': [1, 1, 1, 1], 'decoder_hidden_size': 64,
        'drop_path_rate': 0.0, 'classifier_dropout_prob': 0.0}"

say "2/5  Training (run again, it goes on where it stopped)"
command python -m monai.bundle run training --config_file $bundle/train.json \
    --dataset_dir "$data" --slice_spacing_mm 9.9 --output_dir "$run" --cache_dir "$demo/store" --resume True --init_weights "" \
    --max_epochs 145 --batch_size 8 --roi_size "[128, 128]" --network_def#config "$small" \
    --learning_rate 0.004 --weight_decay 0.01 --lr_scheduler_name one_cycle --val_interval 29 \
    --train#augmentation#flip_prob 0 --train#augmentation#elastic_prob 0 --train#augmentation#dropout_prob 0 \
    --train#augmentation#affine_prob 0.3 --train#augmentation#scale 0.12

say "3/5  Judging on the cases that the network has not seen"
command python -m monai.bundle run evaluating --config_file $bundle/evaluate.json \
    --dataset_dir "$data" --slice_spacing_mm 9.9 --output_dir "$run" --roi_size "[160, 160]" --network_def#config "$small"

say "4/5  Contouring the test scans"
command python -m monai.bundle run inferring --config_file $bundle/inference.json \
    --dataset_dir "$data" --output_dir "$run" --roi_size "[160, 160]" --network_def#config "$small"

say "5/5  Packing the bundle, and contouring DICOM of another drawn patient with it"
[ -d "$demo/dicom" ] || command monai-gi phantom dicom "$demo/dicom" --kind axial --seed 7 --contours
command monai-gi pack $bundle --weights "$run/model.pt" --output "$demo/segformer-0.1.0.zip" --overwrite
command monai-gi inspect "$demo/segformer-0.1.0.zip" --brief
command monai-gi predict "$demo/segformer-0.1.0.zip" "$demo/dicom" --output "$demo/contours" --overwrite
command monai-gi compare "$demo"/dicom/patient_1/axial/contours.dcm "$demo"/contours/*/rtstruct.dcm

say "Done. Look at:"
cat <<END
  report       $run/evaluation/report.html: all of it on one page
  scores       $run/evaluation/summary.json (and cases.csv, scans.csv, slices.csv beside it)
  overlays     $run/evaluation/overlays/ (truth and prediction), $run/inference/overlays/ (test scans)
  TensorBoard  $run/tensorboard: tensorboard --logdir $run
  submission   $run/inference/submission.csv
  contours     $demo/contours/: RTSTRUCT, DICOM SEG, NIfTI, pictures, and result.json with the slices to check first

The same in the browser, where the extra 'app' is installed (make demo's environment has it):
  monai-gi app --bundle $demo/segformer-0.1.0.zip
END

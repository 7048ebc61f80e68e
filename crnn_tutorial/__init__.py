"""Convolutional recurrent networks for images: build, train, judge.

Public names are loaded when they are first used, so that the import is quick and
touches neither Keras nor TensorFlow.
"""

import lazy_loader

__version__ = "0.1.0"

# Public names by module, modules in the order in which they may import each other.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "article",
        "augmentation",
        "backbones",
        "batches",
        "benchmarking",
        "checkpoints",
        "clip_models",
        "composed",
        "controls",
        "datasets",
        "equations",
        "evaluation",
        "heads",
        "image_folders",
        "images",
        "judging",
        "layers",
        "metrics",
        "models",
        "notebook",
        "photographs",
        "pictures",
        "plots",
        "sequence_models",
        "tables",
        "trace",
        "training",
    ],
    submod_attrs={
        "images": [
            "check_images",
            "from_patches",
            "load_image",
            "normalize",
            "resize_image",
            "to_patches",
        ],
        "augmentation": ["augment_affine", "augment_shift"],
        "datasets": [
            "Dataset",
            "Split",
            "load_cifar10",
            "load_digits",
            "load_fashion_mnist",
            "load_mnist",
        ],
        "photographs": ["load_photos"],
        "image_folders": [
            "ImageStream",
            "LazyImages",
            "load_image_folder",
            "stream_image_folder",
        ],
        "composed": [
            "digit_string",
            "load_digit_pairs",
            "load_digit_strings",
            "load_direction_clips",
        ],
        "metrics": [
            "Interval",
            "bootstrap",
            "character_error_rate",
            "exact_match",
        ],
        "judging": ["Judgement", "judge", "points"],
        "heads": ["Alphabet"],
        "models": [
            "build_cnn_model",
            "build_crnn_model",
            "build_lstm_model",
            "build_rnn_model",
            "load_model",
        ],
        "sequence_models": [
            "build_fixed_length_reader",
            "build_text_recognizer",
        ],
        "clip_models": ["build_video_classifier"],
        "training": ["set_seed", "train_crnn_model", "train_text_recognizer"],
        "controls": [
            "attention_twin",
            "convolution_twin",
            "count_multiplications",
            "match_parameters",
            "order_blind",
            "receptive_field",
            "rivals",
        ],
        "evaluation": ["Evaluation", "compare", "evaluate", "train_and_evaluate"],
        "tables": ["ResultTable"],
        "benchmarking": ["load_results", "run_seeds", "save_results"],
        "plots": [
            "plot_curves",
            "plot_history",
            "plot_judgements",
            "plot_seeds",
            "use_style",
        ],
        "pictures": [
            "plot_confusion",
            "plot_feature_maps",
            "plot_images",
            "plot_kernels",
            "plot_predictions",
        ],
        "trace": ["trace_shapes"],
        "notebook": ["record", "setup", "show_error", "show_source"],
    },
)

"""Public names, and the files where they stand: for `lazy_loader` and editors."""

__version__: str

from . import (
    article,
    checks,
    data,
    equations,
    figures,
    judging,
    metrics,
    network,
    notebook,
    tasks,
    training,
)
from .data.augment import (
    augment_affine,
    augment_shift,
    augment_text_images,
)
from .data.classics import (
    load_cifar10,
    load_digits,
    load_fashion_mnist,
    load_mnist,
)
from .data.degrade import (
    degrade,
)
from .data.digit_clips import (
    load_direction_clips,
    load_moving_digits,
)
from .data.digit_scenes import (
    load_digit_scenes,
)
from .data.digit_strings import (
    digit_string,
    load_digit_pairs,
    load_digit_strings,
)
from .data.folders import (
    load_image_folder,
)
from .data.images import (
    load_image,
    normalize,
    resize_image,
)
from .data.patches import (
    from_patches,
    to_patches,
)
from .data.photographs import (
    load_photos,
)
from .data.splits import (
    Dataset,
    Split,
)
from .data.text.alphabet import (
    Alphabet,
)
from .data.text.folders import (
    load_text_images,
)
from .data.text.lines import (
    TextLineStream,
    render_text_lines,
)
from .data.textures import (
    load_page_blocks,
    load_textures,
)
from .data.voc import (
    load_voc,
)
from .figures.curves import (
    plot_curves,
    plot_history,
    plot_judgements,
    plot_seeds,
    plot_slopes,
)
from .figures.images import (
    plot_confusion,
    plot_feature_maps,
    plot_images,
    plot_predictions,
)
from .figures.style import (
    use_style,
)
from .figures.trace import (
    trace_shapes,
)
from .judging.baselines import (
    nearest_class_mean,
)
from .judging.controls import (
    match_parameters,
    rivals,
    twin,
)
from .judging.costs import (
    count_multiplications,
    receptive_field,
)
from .judging.evaluation import (
    Evaluation,
    compare,
    evaluate,
    train_and_evaluate,
)
from .judging.intervals import (
    Interval,
    bootstrap,
    interval,
)
from .judging.results import (
    load_results,
    save_results,
    stored_scores,
)
from .judging.seeds import (
    run_seeds,
)
from .judging.tables import (
    ResultTable,
)
from .judging.text_report import (
    TextReport,
    report_text,
)
from .judging.verdict import (
    Judgement,
    judge,
    print_judgements,
)
from .metrics.boxes import (
    average_precision,
)
from .metrics.generation import (
    class_features,
    class_match,
    classes_covered,
    frechet_distance,
    nearest_neighbours,
    spread,
)
from .metrics.keras_text import (
    CharacterErrorRate,
    ExactMatch,
)
from .metrics.masks import (
    edge_f_score,
    mean_iou,
)
from .metrics.ranking import (
    retrieval_precision,
)
from .metrics.text import (
    character_error_rate,
    exact_match,
)
from .network.adversarial import (
    AdversarialModel,
)
from .network.adversarial_parts import (
    head_alone,
)
from .network.assemble import (
    load_model,
)
from .network.export import (
    export_model,
)
from .notebook import (
    record,
    setup,
    show_error,
    show_source,
)
from .tasks.answers import (
    Prediction,
    predict,
)
from .tasks.classification import (
    build_cnn_model,
    build_crnn_model,
    build_lstm_model,
    build_rnn_model,
)
from .tasks.compressed_files import (
    compress,
    decompress,
)
from .tasks.compression import (
    build_compressor,
    build_pca_compressor,
)
from .tasks.detection import (
    Detection,
    build_detector,
    detect,
)
from .tasks.edges import (
    build_edge_detector,
)
from .tasks.extend_alphabet import (
    extend_alphabet,
)
from .tasks.generation import (
    build_discriminator,
    build_generator,
)
from .tasks.multilabel import (
    build_multilabel_classifier,
)
from .tasks.patches import (
    build_patch_classifier,
)
from .tasks.quality import (
    build_quality_scorer,
)
from .tasks.reading import (
    Reading,
    read_text,
)
from .tasks.restoration import (
    build_restorer,
)
from .tasks.retrieval import (
    ImageIndex,
    build_embedder,
)
from .tasks.segmentation import (
    build_segmenter,
)
from .tasks.text import (
    build_fixed_length_reader,
    build_text_recognizer,
)
from .tasks.video import (
    build_video_classifier,
    build_video_cnn,
)
from .training.text import (
    train_text_recognizer,
)
from .training.train import (
    set_seed,
    train_crnn_model,
)

__all__ = [
    "AdversarialModel",
    "Alphabet",
    "CharacterErrorRate",
    "Dataset",
    "Detection",
    "Evaluation",
    "ExactMatch",
    "ImageIndex",
    "Interval",
    "Judgement",
    "Prediction",
    "Reading",
    "ResultTable",
    "Split",
    "TextLineStream",
    "TextReport",
    "article",
    "augment_affine",
    "augment_shift",
    "augment_text_images",
    "average_precision",
    "bootstrap",
    "build_cnn_model",
    "build_compressor",
    "build_crnn_model",
    "build_detector",
    "build_discriminator",
    "build_edge_detector",
    "build_embedder",
    "build_fixed_length_reader",
    "build_generator",
    "build_lstm_model",
    "build_multilabel_classifier",
    "build_patch_classifier",
    "build_pca_compressor",
    "build_quality_scorer",
    "build_restorer",
    "build_rnn_model",
    "build_segmenter",
    "build_text_recognizer",
    "build_video_classifier",
    "build_video_cnn",
    "character_error_rate",
    "checks",
    "class_features",
    "class_match",
    "classes_covered",
    "compare",
    "compress",
    "count_multiplications",
    "data",
    "decompress",
    "degrade",
    "detect",
    "digit_string",
    "edge_f_score",
    "equations",
    "evaluate",
    "exact_match",
    "export_model",
    "extend_alphabet",
    "figures",
    "frechet_distance",
    "from_patches",
    "head_alone",
    "interval",
    "judge",
    "judging",
    "load_cifar10",
    "load_digit_pairs",
    "load_digit_scenes",
    "load_digit_strings",
    "load_digits",
    "load_direction_clips",
    "load_fashion_mnist",
    "load_image",
    "load_image_folder",
    "load_mnist",
    "load_model",
    "load_moving_digits",
    "load_page_blocks",
    "load_photos",
    "load_results",
    "load_text_images",
    "load_textures",
    "load_voc",
    "match_parameters",
    "mean_iou",
    "metrics",
    "nearest_class_mean",
    "nearest_neighbours",
    "network",
    "normalize",
    "notebook",
    "plot_confusion",
    "plot_curves",
    "plot_feature_maps",
    "plot_history",
    "plot_images",
    "plot_judgements",
    "plot_predictions",
    "plot_seeds",
    "plot_slopes",
    "predict",
    "print_judgements",
    "read_text",
    "receptive_field",
    "record",
    "render_text_lines",
    "report_text",
    "resize_image",
    "retrieval_precision",
    "rivals",
    "run_seeds",
    "save_results",
    "set_seed",
    "setup",
    "show_error",
    "show_source",
    "spread",
    "stored_scores",
    "tasks",
    "to_patches",
    "trace_shapes",
    "train_and_evaluate",
    "train_crnn_model",
    "train_text_recognizer",
    "training",
    "twin",
    "use_style",
]

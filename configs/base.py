"""Every field of a configuration with its unit, default and reason. Experiments import this and change a few fields.

Override any field on the command line: `--config.batch_size=4`, `--config.model.filters=8,16,32`.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """Returns the defaults: 3D-EAR as in the paper where it is clear, and our choice where it is not."""
  config = ConfigDict()
  config.seed = 0
  config.init_from = ''  # trained network to begin with: a shipped name, an exported .zip, or the workdir of a run
  config.steps = 1000  # training steps in the whole run
  config.batch_size = 2  # cines a step over all devices
  config.num_devices = 0  # 0: all, of all processes
  config.cpu_devices = 0  # virtual devices where there is no accelerator; 0: one a core, if batch_size divides

  config.data = ConfigDict()
  config.data.name = 'mvm_cmr/phantom_mini'  # TFDS name/config
  config.data.dir = 'data'  # where `tfds build --data_dir` put it
  config.data.channels = 4  # 4: magnitude and velocity; 1: magnitude only, also on 4-channel data
  config.data.crop = 128  # pixels; window at the centre of the picture for training and prediction
  config.data.shift = 8  # pixels; largest random shift of the training window
  config.data.normalise = 'robust'  # 'robust' per cine, 'window': of the crop alone, 'joint': released code
  config.data.spacing = 0.0  # mm; pixels of pictures that do not say how large they are, for prediction; 0: not known
  config.data.annotated_every = 1  # learn from every n-th annotated frame of a cine alone: what do fewer contours cost?
  config.data.cache_gb = 4.0  # records are kept in memory when the training set fits into this
  config.data.threads = 2  # reading and augmenting
  config.data.prefetch = 4  # batches made ahead of the step

  config.augment = ConfigDict()
  config.augment.rot90 = True  # rotation by 90, 180, 270 degrees (paper)
  config.augment.flip = False  # left-right mirror; with rot90, all eight symmetries
  config.augment.rotate = 0.0  # degrees; further rotation, uniform in +- this
  config.augment.scale = 0.0  # relative; zoom by a factor in 1 +- this
  config.augment.elastic = 0.0  # pixels; standard deviation of a smooth random deformation
  config.augment.intensity = 0.0  # strength of random contrast, brightness and noise of the magnitude; 0: off, 1: full

  config.split = ConfigDict()
  config.split.seed = 0
  config.split.test_fraction = 0.2  # of the subjects, held out for the test (paper)
  config.split.folds = 5  # of the other subjects (paper)
  config.split.fold = 0  # validation fold; -1: train on all of them and keep the last checkpoint

  config.model = ConfigDict()
  config.model.name = 'ear3d'  # 'unet3d', 'unet3d_attention', 'ear3d': the ablation ladder
  config.model.filters = (16, 32, 64, 128)  # released code: 32, 64, 128, 256
  config.model.classes = 2  # myocardium and the rest
  config.model.attention = 'channel'  # 'channel' (released) or 'spatial' (Eq. 1)
  config.model.attention_max_tokens = 16384  # larger skips use channel attention
  config.model.temporal = 'convlstm'  # or 'dense_lstm' (released)
  config.model.temporal_sites = ('bottleneck',)  # and 'encoder', 'decoder' (released)
  config.model.bidirectional = False
  config.model.cyclic_recurrence = False  # warm-up pass over the cycle
  config.model.norm = 'group'  # 'group', 'instance', 'batch' (released; statistics over all devices)
  config.model.activation = 'leaky_relu'  # slope 0.3; 'relu', 'gelu', 'silu'
  config.model.activate = 'both'  # or 'last': once a block (released)
  config.model.time_kernel = 3  # frames a convolution sees; 1: each frame on its own, for data without time
  config.model.time_padding = 'zero'  # 'cyclic': the cardiac cycle closes on itself
  config.model.deep_supervision = 0  # decoder levels below the top that learn the mask too, weighted 1/2, 1/4, ...
  config.model.remat = False  # recompute activations: less memory, more time
  config.model.dtype = 'float32'  # or 'bfloat16'

  config.loss = ConfigDict()
  config.loss.name = 'dice_iou'  # Eq. 5; 'cross_entropy', 'dice', 'dice_iou_product', or a sum with '+'
  config.loss.smooth = 1.0  # pixels; Laplace smoothing f
  config.loss.reduction = 'cine'  # or 'batch': pixels of the whole batch pooled (released)
  config.loss.loss_classes = 'both'  # or 'foreground'

  config.optimizer = ConfigDict()
  config.optimizer.learning_rate = 1e-3
  config.optimizer.schedule = 'cosine'  # or 'constant'
  config.optimizer.warmup_steps = 20
  config.optimizer.weight_decay = 0.0  # decoupled, of kernels; > 0 makes Adam AdamW
  config.optimizer.clip_norm = 1.0  # global norm of the gradient; 0: off
  config.optimizer.accumulate = 1  # training steps an update
  config.optimizer.ema_decay = 0.0  # moving average of the weights, used for prediction; 0: off

  config.eval = ConfigDict()
  config.eval.every = 200  # steps between validations and checkpoints
  config.eval.batch_size = 0  # cines at once; 0: one a device
  config.eval.tta = False  # average over the mirror images and quarter turns, velocity vectors turned with them

  config.check_memory = True  # refuse, before step 0, a step that needs more memory than a device has
  config.log_every = 10  # steps between lines of metrics.jsonl
  return config

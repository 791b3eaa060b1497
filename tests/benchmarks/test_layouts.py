"""What is counted in a program compiled for a GPU: lines as XLA prints them, and what each is by hand."""

from benchmarks.layouts import Layouts

_CALL = 'dim_labels={}, custom_call_target="__cudnn$conv{}", backend_config={{}}'
_TEXT = '\n'.join(
  (
    '  %x = bf16[2,5,4,4,8]{4,3,2,1,0} parameter(0)',
    '  %w = bf16[10,4,4,8]{3,2,1,0} bitcast(%x)',
    '  %c = (bf16[10,4,4,8]{3,2,1,0}, u8[0]{0}) custom-call(%w, %k), ' + _CALL.format('b01f_o01i->b01f', 'Forward'),
    '  %d = (bf16[2,8,5,4,4]{4,3,2,1,0}, u8[0]{0}) custom-call(%t, %k), '
    + _CALL.format('bf012_oi012->bf012', 'Forward'),
    # What this makes is a kernel; the activations, which count, lie channels-first.
    '  %e = (bf16[8,3,3,3,8]{1,4,3,2,0}, u8[0]{0}) custom-call(%t, %t), '
    + _CALL.format('bf012_o012i->bf012', 'BackwardFilter'),
    # Said by the order in memory, not by the labels: channels-first again.
    '  %v = bf16[10,4,4,8]{2,1,3,0} parameter(3)',
    '  %f = (bf16[10,4,4,4]{3,2,1,0}, u8[0]{0}) custom-call(%v, %k), ' + _CALL.format('b01f_o01i->b01f', 'Forward'),
    '  %t = bf16[2,8,5,4,4]{4,3,2,1,0} transpose(%x), dimensions={0,4,1,2,3}, metadata={}',
    '  %u = bf16[2,5,4,4,8]{3,2,4,1,0} copy(%x)',
    '  %same = bf16[2,5,4,4,8]{4,3,2,1,0} copy(%x)',
    # What moves is one wide, and stays where it was.
    '  %one = bf16[2,5,4,1,8]{4,3,2,1,0} parameter(1)',
    '  %moved = bf16[2,1,5,4,8]{4,3,2,1,0} transpose(%one), dimensions={0,3,1,2,4}',
    '  %turned = bf16[2,8,5,1,4]{4,3,2,1,0} transpose(%one), dimensions={0,4,1,3,2}',
    '  %kernel = bf16[3,3,3,16,8]{4,3,2,1,0} parameter(2)',
    '  ROOT %weights = bf16[16,8,3,3,3]{4,3,2,1,0} transpose(%kernel), dimensions={3,4,0,1,2}',
  )
)


def test_calls_of_cudnn_are_told_by_the_layout_of_the_activations():
  video = 2 * 2 * 10 * 4 * 4 * 8  # bytes of bfloat16, read and written
  assert list(Layouts(_TEXT).convolutions()) == [0, 2 * video, 2 * video, video + video // 2]


def test_only_activations_that_come_into_another_order_are_turned():
  sizes = [moved // 4 for moved in Layouts(_TEXT).turned(frames=10, smallest=320)]
  assert sizes == [1280, 1280, 320]
  assert len(list(Layouts(_TEXT).turned(frames=10, smallest=321))) == 2

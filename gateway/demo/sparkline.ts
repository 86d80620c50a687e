/** A price at a time, ms since the Unix epoch. */
export interface Point {
  readonly time: number;
  readonly price: number;
  /** It was published while this page could not read. */
  readonly late: boolean;
}

interface SparklineStyle {
  readonly line: string;
  /** Of what came late. */
  readonly late: string;
}

/** How much time a line covers, ms. */
export const WINDOW_MS = 30_000;

const LINE_WIDTH = 1.75;
const MARGIN = 4;

/** Draws the last {@link WINDOW_MS} up to `now`. */
export function drawSparkline(
  canvas: HTMLCanvasElement,
  points: readonly Point[],
  now: number,
  style: SparklineStyle,
): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const prices = points.map(({ price }) => price);
  const low = Math.min(...prices);
  const span = Math.max(...prices) - low || 1;
  const x = ({ time }: Point) => width - MARGIN - ((now - time) / WINDOW_MS) * (width - MARGIN);
  const y = ({ price }: Point) => height - MARGIN - ((price - low) / span) * (height - 2 * MARGIN);
  context.lineWidth = LINE_WIDTH;
  context.lineJoin = context.lineCap = 'round';
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    if (!before) continue;
    context.strokeStyle = point.late ? style.late : style.line;
    context.beginPath();
    context.moveTo(x(before), y(before));
    context.lineTo(x(point), y(point));
    context.stroke();
  }
  const last = points.at(-1);
  if (!last) return;
  context.fillStyle = last.late ? style.late : style.line;
  context.beginPath();
  context.arc(x(last), y(last), LINE_WIDTH * 1.5, 0, 2 * Math.PI);
  context.fill();
}

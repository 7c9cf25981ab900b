/** A picture for a phone's camera, as one path of an SVG: no image to load, nothing for a policy to allow. */
import { encodeQR } from 'qr';

export type QrCode = {
  /** Modules from edge to edge, with the quiet zone around them (ISO/IEC 18004 §9.1). */
  readonly size: number;
  readonly path: string;
};

const QUIET_ZONE = 4;

export function qrCode(text: string): QrCode {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: QUIET_ZONE });
  const path = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  return { size: rows.length, path };
}

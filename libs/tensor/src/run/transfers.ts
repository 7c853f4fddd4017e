import type { TensorData } from '../graph/feeds.js';
import { DeviceTensor } from './device-tensor.js';

/** Bytes. What lies in tensors on a device is in neither. */
export interface TransferFigures {
  /** that runs read from this process's memory */
  readonly fed: number;
  /** that they wrote to it */
  readonly fetched: number;
}

let figures: TransferFigures = { fed: 0, fetched: 0 };

const hostBytes = (places: Iterable<{ readonly data: TensorData | DeviceTensor }>): number => {
  let bytes = 0;
  for (const { data } of places) if (!(data instanceof DeviceTensor)) bytes += data.byteLength;
  return bytes;
};

/** Counts one run. */
export const countTransfers = (
  fed: Iterable<{ readonly data: TensorData | DeviceTensor }>,
  fetched: Iterable<{ readonly data: TensorData | DeviceTensor }>,
): void => {
  figures = { fed: figures.fed + hostBytes(fed), fetched: figures.fetched + hostBytes(fetched) };
};

/** Of all runs since this process began: on a GPU, what went over the bus. */
export const transferFigures = (): TransferFigures => figures;

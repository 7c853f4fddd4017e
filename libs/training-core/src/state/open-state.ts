import { hasNativeInterface } from '@tunefleet/tensor';
import type { ModelGraph } from '../model/trainable.js';
import type { TrainingSpec } from '../spec.js';
import { type DeviceSettings, DeviceState } from './device-state.js';
import { HostState } from './host-state.js';
import type { TrainingState } from './training-state.js';

export type StateHome = NonNullable<TrainingSpec['state']>;

/** Where state goes that no setting places: to a provider's own memory, if that can be reached. The CPU's is this process's. */
export const homeOf = ({ state, provider }: Pick<TrainingSpec, 'state' | 'provider'>): StateHome =>
  state ?? (provider === 'cpu' || !hasNativeInterface() ? 'host' : 'device');

/** State for this model, to be begun. Errors: those of {@link DeviceState.open}. */
export const openState = async (
  model: Pick<ModelGraph, 'layout' | 'tables'>,
  home: StateHome,
  settings: DeviceSettings,
): Promise<TrainingState> => (home === 'device' ? DeviceState.open(model.layout, settings) : new HostState(model, settings.optimizer));

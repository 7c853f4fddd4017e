import { type ChosenProvider, chooseProvider } from '@tunefleet/tensor';
import { TrainingError, type TrainingSpec } from '../spec.js';

/** What a run computes on, and why. Errors: {@link TrainingError} `invalid_spec` where the provider asked for is not there. */
export async function providerFor({ provider = 'cpu' }: Pick<TrainingSpec, 'provider'>): Promise<ChosenProvider> {
  try {
    return await chooseProvider(provider);
  } catch (error) {
    throw new TrainingError('invalid_spec', `provider: ${error instanceof Error ? error.message : String(error)}`);
  }
}

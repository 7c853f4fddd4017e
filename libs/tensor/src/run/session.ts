import type { EngineSession } from './engine-session.js';
import { ortApi } from './native/api.js';
import { NativeSession } from './native/native-session.js';
import { NodeSession } from './node-session.js';
import { requireProvider } from './providers.js';
import { type EngineInterface, type ModelStage, resolveSettings, type SessionSettings } from './settings.js';

/** Whether ONNX Runtime's C interface can be called here. */
export const hasNativeInterface = (): boolean => {
  try {
    ortApi();
    return true;
  } catch {
    return false;
  }
};

const defaultInterface = (): EngineInterface => (hasNativeInterface() ? 'native' : 'node');

/** By path, so that external weights are mapped from the file and the model may be larger than 2 GiB. */
export const createSession = (path: string, settings: SessionSettings, stage: ModelStage = {}): Promise<EngineSession> => {
  const resolved = resolveSettings(settings, stage);
  requireProvider(resolved.provider);
  const through = settings.engineInterface ?? defaultInterface();
  return through === 'native' ? NativeSession.open(path, resolved) : NodeSession.open(path, resolved);
};

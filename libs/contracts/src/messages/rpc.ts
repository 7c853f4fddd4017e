import type { Static, TSchema } from 'typebox';
import { datasetRpc } from './dataset.js';
import { evaluatorRpc } from './evaluator.js';
import { inferenceRpc } from './inference.js';
import { jobsProtocol } from './jobs.js';
import { registryRpc } from './registry.js';
import { trainerRpc } from './trainer.js';

type Protocol = typeof jobsProtocol;
type Owner = 'dataset' | 'trainer' | 'evaluator' | 'model-registry';
type OwnedProtocol = { [K in `${Owner}.${keyof Protocol}`]: K extends `${Owner}.${infer M extends keyof Protocol}` ? Protocol[M] : never };

const owned = Object.fromEntries(
  (['dataset', 'trainer', 'evaluator', 'model-registry'] as const).flatMap((owner) =>
    Object.entries(jobsProtocol).map(([name, schemas]) => [`${owner}.${name}`, schemas]),
  ),
) as OwnedProtocol;

/** Every request between services: subject `rpc.<method>`. Both ends check bodies against these. */
export const rpc = { ...datasetRpc, ...registryRpc, ...evaluatorRpc, ...inferenceRpc, ...trainerRpc, ...owned };

export type RpcMethod = keyof typeof rpc;
type Body<T> = T extends TSchema ? Static<T> : never;
export type RpcRequest<M extends RpcMethod> = Body<(typeof rpc)[M]['request']>;
export type RpcReply<M extends RpcMethod> = Body<(typeof rpc)[M]['reply']>;

import { ApiError } from '@tunefleet/contracts';
import { Ajv2020 } from 'ajv/dist/2020.js';

/** Says what is wrong with an item, or null. */
export type ItemCheck = (item: unknown) => string | null;

const SCHEMA_BYTES = 64 * 1024;

/** A check of items against the JSON schema of an eval. Errors: `invalid_value` for what is no schema, or refers to one elsewhere. */
export function itemCheck(schema: Record<string, unknown>): ItemCheck {
  if (JSON.stringify(schema).length > SCHEMA_BYTES) {
    throw new ApiError('invalid_value', `The item schema is over ${SCHEMA_BYTES} bytes.`, { param: 'data_source_config.item_schema' });
  }
  try {
    const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });
    const validate = ajv.compile(schema);
    return (item) => (validate(item) ? null : ajv.errorsText(validate.errors, { dataVar: 'item' }));
  } catch (cause) {
    throw new ApiError('invalid_value', `The item schema is no JSON schema: ${(cause as Error).message}.`, {
      param: 'data_source_config.item_schema',
      cause,
    });
  }
}

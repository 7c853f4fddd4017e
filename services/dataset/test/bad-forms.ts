/** Fields of a multipart form: name, value, file name. */
export type Parts = [string, string | Blob, string?][];

export const blob = new Blob(['x']);

/** Forms that are refused with 400: what is wrong, the fields, code and param. */
export const BAD_FORMS: [string, Parts, string, string | null][] = [
  [
    'unknown purpose',
    [
      ['file', blob],
      ['purpose', 'fun'],
    ],
    'invalid_purpose',
    'purpose',
  ],
  [
    'unknown purpose first',
    [
      ['purpose', 'fun'],
      ['file', blob],
    ],
    'invalid_purpose',
    'purpose',
  ],
  [
    'a purpose that only results have',
    [
      ['file', blob],
      ['purpose', 'fine-tune-results'],
    ],
    'invalid_purpose',
    'purpose',
  ],
  ['no purpose', [['file', blob]], 'missing_required_parameter', 'purpose'],
  ['no file', [['purpose', 'user_data']], 'missing_required_parameter', 'file'],
  [
    'file as text',
    [
      ['file', 'text'],
      ['purpose', 'user_data'],
    ],
    'invalid_type',
    'file',
  ],
  [
    'two files',
    [
      ['file', blob],
      ['file', blob],
      ['purpose', 'user_data'],
    ],
    'invalid_multipart',
    'file',
  ],
  [
    'two purposes',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['purpose', 'user_data'],
    ],
    'invalid_multipart',
    'purpose',
  ],
  [
    'an unknown field',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['color', 'red'],
    ],
    'unknown_parameter',
    'color',
  ],
  [
    'an unknown file',
    [
      ['photo', blob],
      ['purpose', 'user_data'],
    ],
    'unknown_parameter',
    'photo',
  ],
  [
    '__proto__',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['__proto__', 'x'],
    ],
    'unknown_parameter',
    null,
  ],
  [
    'a bad anchor',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['expires_after[anchor]', 'now'],
      ['expires_after[seconds]', '3600'],
    ],
    'invalid_value',
    'expires_after[anchor]',
  ],
  [
    'too soon',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['expires_after[anchor]', 'created_at'],
      ['expires_after[seconds]', '3599'],
    ],
    'invalid_value',
    'expires_after[seconds]',
  ],
  [
    'too late',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['expires_after[anchor]', 'created_at'],
      ['expires_after[seconds]', '2592001'],
    ],
    'invalid_value',
    'expires_after[seconds]',
  ],
  [
    'no number',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['expires_after[anchor]', 'created_at'],
      ['expires_after[seconds]', 'soon'],
    ],
    'invalid_type',
    'expires_after[seconds]',
  ],
  [
    'anchor alone',
    [
      ['file', blob],
      ['purpose', 'user_data'],
      ['expires_after[anchor]', 'created_at'],
    ],
    'missing_required_parameter',
    'expires_after[seconds]',
  ],
];

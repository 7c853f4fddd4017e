import { setTimeout as sleep } from 'node:timers/promises';
import { test } from '@jest/globals';

test('an integration test may take longer than the five seconds that jest gives by itself', () => sleep(5200));

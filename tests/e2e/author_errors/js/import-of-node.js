import { readFileSync } from 'node:fs';

import { definePlugin, skip } from './sdk/banhook-plugin.js';

export default definePlugin({ format: () => skip(readFileSync('/etc/hostname', 'utf8')) });

import { definePlugin, skip } from './sdk/banhook-plugin.js';

export const formatter = definePlugin({ format: () => skip('nobody finds this plugin') });

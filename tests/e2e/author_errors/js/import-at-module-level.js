import { definePlugin, settings, skip } from './sdk/banhook-plugin.js';

const OFFICE = settings.get('office');

export default definePlugin({ format: () => skip(OFFICE) });

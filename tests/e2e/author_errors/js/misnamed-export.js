import { definePlugin, skip } from './sdk/banhook-plugin.js';

export default definePlugin({
  fromat: () => skip('nobody asks this function'),
});

import { definePlugin, skip } from './sdk/banhook-plugin.js';

export default definePlugin({
  format(event) {
    if (event.jail === 'sshd' return skip('a parenthesis is missing');
    return skip('all others');
  },
});

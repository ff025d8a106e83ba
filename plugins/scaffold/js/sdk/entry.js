// The exports of the component; `banhook plugin build` begins here. What the plugin does is in plugin.js.
import * as module from '../plugin.js';
import { exportsOf } from './banhook-plugin.js';

export const { formatter, digester, checker, descriptor } = exportsOf(module);

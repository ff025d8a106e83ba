// The exports of the component; `banhook plugin build` begins here. What the plugin does is in plugin.ts.
import * as module from '../plugin.ts';
import { exportsOf } from './banhook-plugin.js';

export const { formatter, digester, checker, descriptor } = exportsOf(module);

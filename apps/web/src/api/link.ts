/** Whether the page and its node hear each other: told by whichever event stream is open, shown by the banner. */
import { createStore } from '../ui/store'

export type LinkState = 'connecting' | 'live' | 'lost'

export const linkStore = createStore<LinkState>('connecting')

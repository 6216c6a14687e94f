/** What somebody sees whose page is not signed in: why, and the one command that helps. */

import { CopyButton } from '../ui/copyButton'
import { Mark } from '../ui/icons'

const TEXTS = {
  none: {
    title: 'This page is not signed in',
    text: 'It belongs to the Godwit node on this computer. To open it, run this in a terminal:',
  },
  over: {
    title: 'You are signed out',
    text: 'The session has ended. Your transfers go on. To come back, run this in a terminal:',
  },
  refused: {
    title: 'This link is used up',
    text: 'A link is good once, and for a minute. For a new one, run this in a terminal:',
  },
  unreachable: {
    title: 'The node does not answer',
    text: 'It may be starting, or it has ended. This starts it and opens the page:',
  },
} as const

export const SignedOut = ({ why }: { readonly why: keyof typeof TEXTS }) => (
  <main className="signed-out">
    <Mark />
    <h1>{TEXTS[why].title}</h1>
    <p>{TEXTS[why].text}</p>
    <p className="command">
      <code>godwit open</code>
      <CopyButton text="godwit open" what="the command" />
    </p>
  </main>
)

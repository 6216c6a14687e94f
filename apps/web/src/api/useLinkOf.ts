/** Tells the banner how the view's event stream is doing. */
import { useEffect } from 'react'
import { type LinkState, linkStore } from './link'

/** Milliseconds that a connection may take before it is called lost: a reload of the node is no news. */
const PATIENCE_MS = 1200

const LINK_OF: Readonly<Record<'idle' | 'connecting' | 'pending' | 'error', LinkState>> = {
  idle: 'live',
  connecting: 'lost',
  pending: 'live',
  error: 'lost',
}

export const useLinkOf = (status: 'idle' | 'connecting' | 'pending' | 'error'): void => {
  useEffect(() => {
    const link = LINK_OF[status]
    if (link === 'live') {
      linkStore.set('live')
      return
    }
    const timer = setTimeout(() => linkStore.set(link), PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [status])
}

/** The frame of the page: its head, the place that the address names, and what is said when the node is away. */
import { useEffect, useRef } from 'react'
import { linkStore } from './api/link'
import { ListPage } from './list/listPage'
import { ReceivePage } from './receive/receivePage'
import { Link, type Place, usePlace } from './router'
import { SendPage } from './send/sendPage'
import { sessionStore } from './session/session'
import { SignedOut } from './session/signedOut'
import { TransferPage } from './transfer/transferPage'
import { Mark } from './ui/icons'
import { useStore } from './ui/store'

const NAVIGATION = [
  { at: 'list', href: '/', label: 'Transfers' },
  { at: 'send', href: '/send', label: 'Send' },
  { at: 'receive', href: '/receive', label: 'Receive' },
] as const

const View = ({ place }: { readonly place: Place }) => {
  switch (place.at) {
    case 'list':
      return <ListPage />
    case 'send':
      return <SendPage />
    case 'receive':
      return <ReceivePage />
    case 'transfer':
      return <TransferPage key={place.transferId} transferId={place.transferId} />
    case 'nowhere':
      return (
        <section className="empty">
          <h1>There is nothing here</h1>
          <p>The address leads nowhere. Your transfers are where they were.</p>
          <Link className="button primary" href="/">
            All transfers
          </Link>
        </section>
      )
  }
}

const LinkBanner = () => {
  const link = useStore(linkStore)
  return (
    <div role="status" className="banner-place">
      {link === 'lost' && (
        <p className="banner">
          <strong>The node does not answer.</strong> Transfers go on or wait for it by themselves; this page catches up
          as soon as it is back.
        </p>
      )}
    </div>
  )
}

const titleOf = (place: Place): string =>
  ({ list: 'Transfers', send: 'Send', receive: 'Receive', transfer: 'Transfer', nowhere: 'Not found' })[place.at]

export const App = () => {
  const session = useStore(sessionStore)
  const place = usePlace()
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const key = place.at === 'transfer' ? place.transferId : place.at

  // Whoever listens or tabs begins at the new view, not at the link that led there.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the place
  useEffect(() => {
    document.title = `${titleOf(place)} – Godwit`
    if (isFirst.current) isFirst.current = false
    else main.current?.focus()
  }, [key])

  if (session.is === 'signingIn') return <p className="loading full">Signing in …</p>
  if (session.is === 'out') return <SignedOut why={session.why} />
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="head">
        <div className="head-inner">
          <Link className="wordmark" href="/" aria-label="Godwit, all transfers">
            <Mark />
            <span>Godwit</span>
          </Link>
          <nav aria-label="Main">
            {NAVIGATION.map(({ at, href, label }) => (
              <Link key={at} href={href} aria-current={place.at === at ? 'page' : undefined}>
                {label}
              </Link>
            ))}
          </nav>
        </div>
      </header>
      <LinkBanner />
      <main id="main" ref={main} tabIndex={-1}>
        <View place={place} />
      </main>
    </>
  )
}

/** Where the user is in the page, by its address; and links that change it without a new load. */
import type { AnchorHTMLAttributes, MouseEvent } from 'react'
import { createStore, useStore } from './ui/store'

export type Place =
  | { readonly at: 'list' }
  | { readonly at: 'send' }
  | { readonly at: 'receive' }
  | { readonly at: 'transfer'; readonly transferId: string }
  | { readonly at: 'nowhere' }

export const placeOf = (path: string): Place => {
  if (path === '/' || path === '/transfers') return { at: 'list' }
  if (path === '/send') return { at: 'send' }
  if (path === '/receive') return { at: 'receive' }
  const transferId = /^\/transfers\/(tr[a-z2-7]{16})$/.exec(path)?.[1]
  return transferId === undefined ? { at: 'nowhere' } : { at: 'transfer', transferId }
}

const pathStore = createStore(location.pathname)
addEventListener('popstate', () => pathStore.set(location.pathname))

export const usePlace = (): Place => placeOf(useStore(pathStore))

/** Goes to another place of the page. The new view takes the focus to its heading. */
export const goTo = (path: string): void => {
  history.pushState(null, '', path)
  pathStore.set(path)
  scrollTo(0, 0)
}

const isPlain = (event: MouseEvent): boolean =>
  event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey

export const Link = ({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { readonly href: string }) => (
  <a
    {...rest}
    href={href}
    onClick={(event) => {
      if (!isPlain(event)) return
      event.preventDefault()
      goTo(href)
    }}
  />
)

export const pathOfTransfer = (transferId: string): string => `/transfers/${transferId}`

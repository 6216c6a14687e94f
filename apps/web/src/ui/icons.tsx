/** The few drawings of the page, as lines in the colour of the text around them. All are decoration: words stand beside. */
import type { ReactNode } from 'react'

const Icon = ({ children, size = 18 }: { readonly children: ReactNode; readonly size?: number }) => (
  <svg
    aria-hidden="true"
    className="icon"
    width={size}
    height={size}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.7"
    strokeLinecap="round"
    strokeLinejoin="round"
  >
    {children}
  </svg>
)

/** A godwit: a body, long legs and a very long bill. */
export const Mark = () => (
  <svg
    aria-hidden="true"
    className="mark"
    width="26"
    height="26"
    viewBox="0 0 32 32"
    fill="none"
    stroke="currentColor"
    strokeWidth="2"
    strokeLinecap="round"
    strokeLinejoin="round"
  >
    <path d="M2 15.5 14 12c1.2-2.3 3.4-3.5 5.600-3 1.700.4 2.900 1.700 3.200 3.400L30 19c-4 3.800-9.500 4.600-14 2.400-2.800-1.400-3.800-3.900-2-9.400M18 22v7M22 21.800V29" />
  </svg>
)

export const Outgoing = () => (
  <Icon>
    <path d="M7 17 17 7M9 7h8v8" />
  </Icon>
)
export const Incoming = () => (
  <Icon>
    <path d="M17 7 7 17M15 17H7V9" />
  </Icon>
)
export const Check = () => (
  <Icon>
    <path d="m5 12.500 4.500 4.500L19 7.500" />
  </Icon>
)
export const Copy = () => (
  <Icon size={16}>
    <path d="M9 9h11v11H9zM15 9V4H4v11h5" />
  </Icon>
)
export const FileIcon = () => (
  <Icon>
    <path d="M6 3h8l4 4v14H6zM14 3v4h4" />
  </Icon>
)
export const FolderIcon = () => (
  <Icon>
    <path d="M3 6h6l2 2.500h10V19H3z" />
  </Icon>
)
export const Close = () => (
  <Icon size={16}>
    <path d="m6 6 12 12M18 6 6 18" />
  </Icon>
)
export const Up = () => (
  <Icon>
    <path d="M12 19V6M6 11.500 12 5.500l6 6" />
  </Icon>
)
export const Alert = () => (
  <Icon>
    <path d="M12 8v5M12 16.500v.1M12 3 2.500 20h19z" />
  </Icon>
)

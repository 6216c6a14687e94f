/** The code of a transfer that waits for its receivers: large, to be copied, and as a picture for a camera. */
import { useMemo } from 'react'
import { encode } from 'uqr'
import { CopyButton } from '../ui/copyButton'

/** Modules of white around a QR code (ISO/IEC 18004). */
const QUIET_ZONE = 4

const QrCode = ({ text }: { readonly text: string }) => {
  const { size, path } = useMemo(() => {
    const { data, size } = encode(text, { ecc: 'M', border: QUIET_ZONE })
    const squares = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x},${y}h1v1h-1z`] : [])))
    return { size, path: squares.join('') }
  }, [text])
  return (
    <svg
      className="qr"
      role="img"
      aria-label="The code as a QR code"
      viewBox={`0 0 ${size} ${size}`}
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}

/** @param isNeeded - somebody who is to receive has not come yet. */
export const CodeCard = ({ code, isNeeded }: { readonly code: string; readonly isNeeded: boolean }) => {
  const [words, address] = code.split('@', 2)
  if (!isNeeded) {
    return (
      <details className="code-line">
        <summary>The code</summary>
        <p>
          <code className="break">{code}</code> <CopyButton text={code} what="the code" />
        </p>
      </details>
    )
  }
  return (
    <section className="code-card" aria-labelledby="code-title">
      <div>
        <h2 id="code-title">Tell the receiver this code</h2>
        <p className="code">
          {words?.split('-').map((part, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a code stay where they are
            <span key={index}>
              {index > 0 && '-'}
              <span className="code-part">{part}</span>
            </span>
          ))}
          {address !== undefined && <span className="code-address">@{address}</span>}
        </p>
        <div className="actions">
          <CopyButton text={code} what="the code" />
        </div>
        <p className="help">
          On the other computer: paste it under Receive, or run <code className="break">godwit receive {code}</code>.
          Whoever has the code can receive, so tell it only to those who may.
        </p>
      </div>
      <QrCode text={code} />
    </section>
  )
}

import { takeOrder } from './actions';
import { Orders } from './orders';

export default function Page() {
  return (
    <main>
      <h1>Orders</h1>
      <form action={takeOrder}>
        <input name="order" aria-label="Order" required />
        <button type="submit">Order</button>
      </form>
      <Orders />
    </main>
  );
}

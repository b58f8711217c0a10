"""How an export lies in its folder: where its files go, and what builds and explains them."""

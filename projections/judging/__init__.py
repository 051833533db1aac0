"""How rules judge: findings of rows, and answers of gates."""
